//! A client's stream: what hyper does not say of it, and does not wait for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use crate::refusal::Refusal;

/// How long a request goes on whose client has closed its side. A program that does so and waits for the answer looks
/// like one that has gone.
const HALF_CLOSED: Duration = Duration::from_secs(1);
/// How long, and how much, is read of a client that still sends when it has been answered.
const LINGER: Duration = Duration::from_secs(5);
const DRAINED: usize = 64 << 20;

/// What the requests of a connection and its stream know of each other.
pub(crate) struct Talk {
    stream: TcpStream,
    /// A request is being answered.
    pub(crate) is_asked: AtomicBool,
    /// A body has not been read to its end.
    pub(crate) has_rest: AtomicBool,
}

impl Talk {
    pub(crate) fn new(stream: TcpStream) -> Arc<Self> {
        // Answers are small: they must not wait for more.
        let _ = stream.set_nodelay(true);
        Arc::new(Talk { stream, is_asked: AtomicBool::new(false), has_rest: AtomicBool::new(false) })
    }

    /// The stream, and whether something is left to read of it.
    pub(crate) fn into_parts(self) -> (TcpStream, bool) {
        (self.stream, self.has_rest.into_inner())
    }

    /// Returns when the client has gone. hyper does not look while a request is being answered.
    pub(crate) async fn gone(&self) {
        match self.stream.peek(&mut [0]).await {
            Ok(0) => sleep(HALF_CLOSED).await,
            // The next request is there already.
            Ok(_) => std::future::pending().await,
            Err(_) => {}
        }
    }
}

/// A stream that drops the refusals that hyper writes without a text, and fails if an answer is not taken in time.
pub(crate) struct Stream {
    talk: Arc<Talk>,
    /// How long an answer may take to be read.
    patience: Duration,
    /// Since when an answer is being written.
    begun: Option<Instant>,
    late: Option<Pin<Box<Sleep>>>,
    /// Something has come since the last answer.
    has_head: bool,
    /// The status of a refusal that was dropped.
    dropped: Option<StatusCode>,
}

impl Stream {
    pub(crate) fn new(talk: Arc<Talk>, patience: Duration) -> Self {
        Stream { talk, patience, begun: None, late: None, has_head: false, dropped: None }
    }

    /// Why hyper has ended the connection, in words for the client; `None` if it is not to be answered.
    pub(crate) fn refusal(&self, error: &hyper::Error) -> Option<Refusal> {
        if self.talk.is_asked.load(SeqCst) {
            return None;
        }
        let (status, text) = match self.dropped {
            Some(status @ StatusCode::URI_TOO_LONG) => (status, "the address in the request is too long".to_owned()),
            Some(status @ StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => {
                (status, "the head of the request has more than 64 KiB or more than 100 lines".to_owned())
            }
            None if error.is_timeout() && self.has_head => {
                (StatusCode::REQUEST_TIMEOUT, "the head of the request has not come in time; send it faster".to_owned())
            }
            None if error.is_incomplete_message() && self.has_head => {
                (StatusCode::BAD_REQUEST, "the head of the request is cut off; send all of it".to_owned())
            }
            status if status.is_some() || error.is_parse() => {
                (StatusCode::BAD_REQUEST, format!("the request is no HTTP/1.1: {error}"))
            }
            _ => return None,
        };
        Some(Refusal::new(status, text))
    }

    /// What a write came to: an error if the answer has not been taken in time.
    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let begun = *self.begun.get_or_insert_with(Instant::now);
        self.has_head = false;
        if written.is_ready() {
            return written;
        }
        let end = begun + self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(end)));
        late.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The status, if these bytes are the head of a refusal that hyper has written: ours have a type.
fn refusal_of_hyper(bytes: &[u8]) -> Option<StatusCode> {
    const TYPE: &[u8] = b"content-type";
    let head = bytes.strip_prefix(b"HTTP/1.1 ")?;
    let status = StatusCode::from_bytes(head.get(..3)?).ok()?;
    (status.is_client_error() && !head.windows(TYPE.len()).any(|part| part == TYPE)).then_some(status)
}

/// Writes a refusal, as the last that the client is told, and closes the stream.
pub(crate) async fn refuse(mut stream: TcpStream, refusal: &Refusal) {
    let _ = timeout(LINGER, stream.write_all(&refusal.http())).await;
    linger(stream).await;
}

/// Closes a stream when the client has, or has sent enough: a close before that would take from it what is on the way.
pub(crate) async fn linger(mut stream: TcpStream) {
    let drained = async {
        let (mut part, mut drained) = ([0; 4096], 0);
        stream.shutdown().await?;
        while drained < DRAINED {
            match stream.read(&mut part).await? {
                0 => break,
                count => drained += count,
            }
        }
        io::Result::Ok(())
    };
    let _ = timeout(LINGER, drained).await;
}

/// Reads or writes as soon as the stream is ready.
fn when_ready<X>(
    context: &mut Context<'_>,
    ready: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>,
    mut tried: impl FnMut() -> io::Result<X>,
) -> Poll<io::Result<X>> {
    loop {
        ready!(ready(context))?;
        match tried() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &self.talk.stream;
        let read = || stream.try_read(buffer.initialize_unfilled());
        let count = ready!(when_ready(context, |context| stream.poll_read_ready(context), read))?;
        buffer.advance(count);
        self.has_head |= count > 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(status) = bytes.first().and_then(|bytes| refusal_of_hyper(bytes)) {
            self.dropped = Some(status);
            return Poll::Ready(Ok(bytes[0].len()));
        }
        let stream = &self.talk.stream;
        let write = || stream.try_write_vectored(bytes);
        let written = when_ready(context, |context| stream.poll_write_ready(context), write);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when it has written all.
        (self.begun, self.late) = (None, None);
        Poll::Ready(Ok(()))
    }

    /// Nothing: what is left to say is said by `refuse`, and `linger` closes.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
