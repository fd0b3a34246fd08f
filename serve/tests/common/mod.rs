//! Models to serve, and a client that speaks HTTP by hand: it can break every rule.
#![allow(dead_code)] // Each test file uses some of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use gradus_nn::*;
#[allow(unused_imports)]
pub use gradus_serve::nested_lists as json;
use gradus_serve::{Running, Server};
use gradus_tensor::{Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

/// The introductory network for pictures of 28x28, with weights as drawn.
pub fn digits() -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28], 42).unwrap()
}

/// The same numbers as given.
pub fn identity(shape: &[usize]) -> Model {
    Model::build(Sequential::new().add(Activation::Linear), shape, 42).unwrap()
}

/// Ids and numbers in, two outputs.
pub fn several() -> Model {
    let mut graph = Graph::builder();
    let words = graph.input_named("words");
    let price = graph.input_named("price");
    let embedded = graph.add(Embedding::new(10, 4), [words]);
    let mean = graph.add(GlobalAveragePooling1D::new(), [embedded]);
    let both = graph.add(Concatenate::new(), [mean, price]);
    let score = graph.add(Dense::new(1), [both]);
    let class = graph.add(Dense::new(3).activation(Activation::Softmax), [both]);
    let network = graph.outputs([("score", score), ("class", class)]);
    Model::build(network, [Input::named("words", [None]), Input::named("price", [1])], 42).unwrap()
}

pub fn picture(seed: u64) -> Tensor {
    Generator::new(seed).uniform([1, 28, 28], 0.0..1.0)
}

pub fn spawn(server: Server) -> Running {
    server.name("m").bind("127.0.0.1:0").unwrap().spawn()
}

/// A status, the head and the body of an answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends these bytes as they are on a new connection, and reads the first answer.
pub fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    // Also what the server refuses before it has come: who sends it must get to reading the answer.
    stream.write_all(bytes).unwrap();
    read(&mut stream)
}

/// Reads one answer by its length.
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break end + 4;
        }
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the connection was closed after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
    while bytes.len() < end + length {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "the answer was cut off");
        bytes.extend_from_slice(&part[..count]);
    }
    let status = head[9..12].parse().unwrap();
    Answer { status, head, body: String::from_utf8(bytes[end..end + length].to_vec()).unwrap() }
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    raw(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
}

pub fn request(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub fn post(address: SocketAddr, path: &str, body: &str) -> Answer {
    raw(address, &request(path, body))
}

pub fn predict(address: SocketAddr, body: &str) -> Answer {
    post(address, "/v1/models/m:predict", body)
}

/// The text of an error of this status.
pub fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    json["error"].as_str().expect("an error has a text").to_owned()
}

/// The figures of a server, when one of their lines has come to be there.
pub fn figures_with(address: SocketAddr, line: &str) -> String {
    eventually(line, || Some(get(address, "/metrics").body).filter(|text| text.lines().any(|found| found == line)))
}

/// What `tried` gives when it gives something.
pub fn eventually<X>(what: &str, mut tried: impl FnMut() -> Option<X>) -> X {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match tried() {
            Some(found) => return found,
            None => assert!(Instant::now() < end, "this has not come about: {what}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The same numbers; 13 panics, and 1000 waits until the gate of this number is opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gate(pub usize);

static OPEN: [AtomicBool; 16] = [const { AtomicBool::new(false) }; 16];
static ENTERED: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];

impl Gate {
    pub fn server(self, shape: &[usize]) -> Server {
        Server::new(Model::build(Sequential::new().add(self), shape, 42).unwrap())
    }

    pub fn open(&self) {
        OPEN[self.0].store(true, SeqCst);
    }

    /// Returns when so many predictions have come to the gate.
    pub fn entered(&self, count: usize) {
        eventually("predictions at the gate", || (ENTERED[self.0].load(SeqCst) >= count).then_some(()));
    }
}

impl Layer for Gate {
    const KIND: &'static str = "Gate";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (output, gate) = (build.input()?.clone(), self.0);
        Ok(Built::new(output, move |_, x| {
            let largest = x.value().to::<f64>().max(..).item();
            if largest == 1000.0 {
                ENTERED[gate].fetch_add(1, SeqCst);
                let end = Instant::now() + Duration::from_secs(60);
                while !OPEN[gate].load(SeqCst) && Instant::now() < end {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            assert!(largest != 13.0, "thirteen");
            x.clone()
        }))
    }
}

/// A request for one sample of one number.
pub fn one(number: u32) -> String {
    format!("{{\"instances\": [[{number}]]}}")
}

/// Asks on a connection of its own.
pub fn asked(address: SocketAddr, number: u32) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(&request("/v1/models/m:predict", &one(number))).unwrap();
    stream
}

/// The bits of all numbers in an answer, in order.
pub fn bits(body: &str) -> Vec<u32> {
    let numbers = body.split(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
    numbers
        .filter(|text| text.starts_with(|c: char| c == '-' || c.is_ascii_digit()))
        .map(|text| text.parse::<f32>().unwrap().to_bits())
        .collect()
}

pub fn bits_of(tensor: &Tensor) -> Vec<u32> {
    tensor.iter().map(f32::to_bits).collect()
}
