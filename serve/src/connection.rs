//! Connections: how many, how long, how slow.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use gradus_nn::InputInfo;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, Sleep};

use crate::batcher::Batcher;
use crate::figures::Figures;
use crate::refusal::Refusal;
use crate::routes;
use crate::server::Limits;

/// The most bytes of a head that are looked at again for its end; the read after that may be as long once more.
const HEAD: usize = 64 << 10;
/// What is read of a body that is refused, so that the client gets to reading the answer.
const DRAINED: usize = 64 << 20;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) batcher: Arc<Batcher>,
    pub(crate) figures: Arc<Figures>,
    /// What requests give: the model's inputs, before any preprocessing.
    pub(crate) inputs: Vec<InputInfo>,
    /// Bytes of bodies that are in memory.
    bodies: AtomicUsize,
    open: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(name: String, limits: Limits, batcher: Arc<Batcher>, figures: Arc<Figures>) -> Self {
        let inputs = batcher.model().raw_inputs();
        Shared { name, limits, batcher, figures, inputs, bodies: AtomicUsize::new(0), open: AtomicUsize::new(0) }
    }

    /// Reads a body into memory.
    pub(crate) async fn read<'a>(&'a self, headers: &HeaderMap, body: Incoming) -> Result<Bytes<'a>, Refusal> {
        let mut body = pin!(body);
        let mut bytes = Bytes { shared: self, bytes: Vec::new() };
        let deadline = Instant::now() + self.limits.body_time;
        let refusal = loop {
            // Nothing is taken on the word of a Content-Length; one that is too large saves reading.
            let length = body.size_hint().lower().max(bytes.bytes.len() as u64);
            if length > self.limits.body as u64 {
                let text = format!("the body has more than {} bytes; send fewer samples at once", self.limits.body);
                break Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text);
            }
            let Ok(frame) = tokio::time::timeout_at(deadline, body.frame()).await else {
                let (seconds, found) = (self.limits.body_time.as_secs_f64(), bytes.bytes.len());
                let text =
                    format!("the body has not come within {seconds} s, only {found} bytes of it; send it faster");
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
            };
            match frame {
                None => return Ok(bytes),
                Some(Err(_)) => {
                    let text = format!("the body is cut off after {} bytes; send all of it", bytes.bytes.len());
                    return Err(Refusal::bad(text));
                }
                Some(Ok(frame)) => {
                    let Some(data) = frame.data_ref() else { continue };
                    if bytes.bytes.len() + data.len() > self.limits.body {
                        let text =
                            format!("the body has more than {} bytes; send fewer samples at once", self.limits.body);
                        break Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text);
                    }
                    if self.bodies.fetch_add(data.len(), SeqCst) + data.len() > self.limits.bodies {
                        self.bodies.fetch_sub(data.len(), SeqCst);
                        break Refusal::busy(
                            "the bodies of other requests take all memory that bodies may; ask again later",
                        );
                    }
                    bytes.bytes.extend_from_slice(data);
                }
            }
        };
        drop(bytes);
        if !headers.contains_key(header::EXPECT) {
            let mut drained = 0;
            while let Ok(Some(Ok(frame))) = tokio::time::timeout_at(deadline, body.frame()).await
                && drained < DRAINED
            {
                drained += frame.data_ref().map_or(0, |data| data.len());
            }
        }
        Err(refusal)
    }
}

/// A body in memory, counted while it is there.
pub(crate) struct Bytes<'a> {
    shared: &'a Shared,
    bytes: Vec<u8>,
}

impl std::ops::Deref for Bytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Bytes<'_> {
    fn drop(&mut self) {
        self.shared.bodies.fetch_sub(self.bytes.len(), SeqCst);
    }
}

/// Takes connections for ever.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    places: &Arc<Semaphore>,
    stop: &watch::Receiver<bool>,
) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Too many open files, or a client that has gone already.
            Err(error) => {
                eprintln!("gradus-serve: a connection was not taken: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            tokio::spawn(turn_away(stream));
            continue;
        };
        let (shared, stop) = (Arc::clone(shared), stop.clone());
        tokio::spawn(async move {
            shared.figures.connections(shared.open.fetch_add(1, SeqCst) + 1);
            serve(stream, &shared, stop).await;
            shared.figures.connections(shared.open.fetch_sub(1, SeqCst) - 1);
            drop(place);
        });
    }
}

/// Answers a connection for which there is no place.
async fn turn_away(stream: TcpStream) {
    use tokio::io::AsyncWriteExt;
    let json = Refusal::busy("the server has as many connections as it may; ask again later").json();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        json.len()
    );
    let mut stream = stream;
    let answer = [head.as_bytes(), &json].concat();
    let sent = async { stream.write_all(&answer).await };
    let _ = tokio::time::timeout(Duration::from_secs(1), sent).await;
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, shared: &Arc<Shared>, mut stop: watch::Receiver<bool>) {
    // Answers are small: they must not wait for more.
    let _ = stream.set_nodelay(true);
    let stream = Patient { stream, patience: shared.limits.body_time, stalled: None };
    let service = service_fn(|request| {
        let shared = Arc::clone(shared);
        async move { Ok::<_, Infallible>(routes::answer(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.head_time)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let is_stopping = async {
        let _ = stop.wait_for(|&stop| stop).await;
    };
    // Errors are the client's: it has gone, or was too slow.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = is_stopping => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A stream whose client must not let an answer lie.
struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Since when nothing could be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    /// What a write came to: an error if the client has taken nothing for too long.
    fn written<X>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<X>>) -> Poll<io::Result<X>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
