//! Models to serve, and a client that speaks HTTP by hand: it can break every rule.
#![allow(dead_code)] // Each test file uses some of it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gradus_nn::*;
use gradus_serve::{Running, Server};
use gradus_tensor::{Generator, Tensor};

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
    raw(address, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
}

pub fn request(path: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
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

/// A tensor as nested lists.
pub fn json(tensor: &Tensor) -> String {
    fn nested(out: &mut String, elements: &[f32], shape: &[usize]) {
        let Some((&length, inner)) = shape.split_first() else {
            return out.push_str(&format!("{:?}", elements[0]));
        };
        let size: usize = inner.iter().product();
        out.push('[');
        for place in 0..length {
            if place > 0 {
                out.push(',');
            }
            nested(out, &elements[place * size..][..size], inner);
        }
        out.push(']');
    }
    let mut out = String::new();
    nested(&mut out, &tensor.to_vec(), tensor.shape());
    out
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
