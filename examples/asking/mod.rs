//! Asks a server on this machine, as any program could: `curl` does the same.

use std::io::{Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// The answer to a request to predict: the body of `POST /v1/models/NAME:predict`.
pub fn ask(server: SocketAddr, model: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "POST /v1/models/{model}:predict HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n")?;
    write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}
