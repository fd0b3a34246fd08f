//! A model behind TensorFlow Serving's REST interface.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use gradus_nn::{Dense, Model, Sequential};
//! use gradus_serve::Server;
//!
//! // Stands in for `Model::load("sums.safetensors")?`: the sum of two numbers.
//! let mut model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
//! model.params_mut().iter_mut().next().unwrap().value = gradus_tensor::Tensor::new([[1.0], [1.0]]);
//!
//! let running = Server::new(model).name("sums").bind("127.0.0.1:0")?.spawn();
//! let body = r#"{"instances": [[1, 2], [0.5, 0.25]]}"#;
//! let mut stream = TcpStream::connect(running.address())?;
//! write!(stream, "POST /v1/models/sums:predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")?;
//! write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len())?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.ends_with(r#"{"predictions":[[3.0],[0.75]]}"#));
//! running.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The command `gradus` of this crate serves a file: `gradus digits.safetensors`.
//!
//! # What is served
//!
//! | address | answer |
//! |---|---|
//! | `POST /v1/models/NAME:predict` | `{"instances": [..]}` is answered by `{"predictions": [..]}`, `{"inputs": ..}` by `{"outputs": ..}` |
//! | `GET /v1/models/NAME`, `GET /v1/models/NAME/metadata` | the state of the model; its inputs and outputs |
//! | `GET /` | a page to draw a digit on, or to try the model by JSON |
//! | `GET /healthz`, `GET /metrics` | `ok`; figures for Prometheus |
//!
//! `/versions/1` may stand behind the name. The data are raw: if the model's file has a preprocessing, the server runs it.
//!
//! # Errors
//!
//! An error is `{"error": ".."}` with what was found, what was expected and what to do:
//!
//! | status | when |
//! |---|---|
//! | 400 | the request is no HTTP/1.1 or no JSON, is cut off, or is not what the model takes |
//! | 403 | the request names another host, or a page of another host sent it ([`Server::allow_host`]) |
//! | 404, 405 | there is nothing at the address, or it is asked by another method |
//! | 408 | the head or the body has not come in time ([`Server::patience`]) |
//! | 413, 414, 431 | the body, the address or the head is too long, or the request needs too much memory |
//! | 500 | the model panicked |
//! | 503 | too much is asked at the time, or the server stops; `Retry-After` says when to ask again |
//! | 504 | the answer was not there in time ([`Server::timeout`]) |
//!
//! Three things are not answered but closed: a connection without a request, a client that takes too long to read an answer,
//! and connections that come when 32 are being told that there is no place for them (they are sent the 503, and may lose it).
//! A client that closes its sending side is answered if its answer is there within a second, and taken for gone after that.
//!
//! # Differences from TensorFlow Serving
//!
//! As TensorFlow Serving does, the server reads and writes `NaN`, `Infinity` and `-Infinity`, which JSON does not have, Python's
//! `json` takes, and JavaScript's does not. Bytes (`{"b64": ".."}`) are refused: models take numbers. `:classify` and
//! `:regress` are refused, too. Instances must be at least one, as there; and there are bounds on what they may take
//! ([`Server::memory`], [`Bounds`]). There is no CORS: pages of other origins cannot read answers.
//!
//! # The same bits
//!
//! An answer is, bit for bit, what `model.predict` gives for the sample alone, whoever else asks at the time and whatever
//! else stands in the request. [`Server::group`] trades that for the speed of larger products.
#![forbid(unsafe_code)]

mod answer;
mod batcher;
mod body;
mod connection;
mod describe;
mod figures;
mod hosts;
mod json;
mod memory;
mod refusal;
mod request;
mod routes;
mod server;
mod stream;
mod table;

pub use answer::{nested_lists, predictions};
pub use request::{Bounds, Format, PredictRequest};
pub use server::{Bound, Running, Server, is_name, name_of};
pub use table::{preparation, read_table};
