//! Connections: how many, how long, how slow.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use gradus_datasets::Preparation;
use gradus_nn::InputInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::batcher::Batcher;
use crate::describe;
use crate::figures::Figures;
use crate::hosts::Hosts;
use crate::memory::Memory;
use crate::refusal::Refusal;
use crate::routes;
use crate::server::Limits;
use crate::stream::{self, Stream, Talk};

/// The most bytes of a head that are looked at again for its end; the read after that may be as long once more.
const HEAD: usize = 64 << 10;
/// The most connections above the bound that are told so.
pub(crate) const TURNED_AWAY: usize = 32;

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) hosts: Hosts,
    pub(crate) batcher: Arc<Batcher>,
    pub(crate) figures: Arc<Figures>,
    pub(crate) memory: Arc<Memory>,
    /// What requests give: the model's inputs, before any preprocessing.
    pub(crate) inputs: Vec<InputInfo>,
    /// What makes them of the rows of a table, if requests give these.
    pub(crate) preparation: Option<Preparation>,
    pub(crate) page: Bytes,
    pub(crate) metadata: Bytes,
    /// The connections that are open.
    pub(crate) open: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(
        name: String,
        preparation: Option<Preparation>,
        limits: Limits,
        hosts: Hosts,
        batcher: Arc<Batcher>,
        figures: Arc<Figures>,
    ) -> Self {
        let model = batcher.model();
        Shared {
            inputs: model.raw_inputs(),
            page: describe::page(&name, model, preparation.as_ref()).into(),
            metadata: describe::metadata(&name, model, preparation.as_ref()).into(),
            preparation,
            memory: Arc::new(Memory::new(limits.memory)),
            open: AtomicUsize::new(0),
            name,
            limits,
            hosts,
            batcher,
            figures,
        }
    }
}

/// Takes connections for ever.
pub(crate) async fn accept(
    listener: TcpListener,
    shared: &Arc<Shared>,
    places: &Arc<Semaphore>,
    stop: &watch::Receiver<bool>,
) {
    let lobby = Arc::new(Semaphore::new(TURNED_AWAY));
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
            shared.figures.turned_away();
            turn_away(stream, &lobby);
            continue;
        };
        let (shared, stop) = (Arc::clone(shared), stop.clone());
        tokio::spawn(async move {
            shared.open.fetch_add(1, SeqCst);
            serve(stream, &shared, stop).await;
            shared.open.fetch_sub(1, SeqCst);
            drop(place);
        });
    }
}

/// Answers a connection for which there is no place, and reads what it still sends while the lobby has one.
fn turn_away(stream: TcpStream, lobby: &Arc<Semaphore>) {
    let refusal = Refusal::busy("the server has as many connections as it may; ask again later");
    match Arc::clone(lobby).try_acquire_owned() {
        Ok(place) => {
            tokio::spawn(async move {
                stream::refuse(stream, &refusal).await;
                drop(place);
            });
        }
        Err(_) => drop(stream.try_write(&refusal.http())),
    }
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, shared: &Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let talk = Talk::new(stream);
    let mut stream = Stream::new(Arc::clone(&talk), shared.limits.body_time);
    let ended = {
        let service = service_fn(|request| {
            let (shared, talk) = (Arc::clone(shared), Arc::clone(&talk));
            async move { Ok::<_, Infallible>(routes::answer(&shared, &talk, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.limits.head_time)
            .max_buf_size(HEAD)
            .half_close(true)
            .serve_connection(TokioIo::new(&mut stream), service);
        let mut connection = pin!(connection);
        let is_stopping = async {
            let _ = stop.wait_for(|&stop| stop).await;
        };
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = is_stopping => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    // Other errors are those of clients that have gone, or took nothing for too long.
    let refusal = ended.err().and_then(|error| stream.refusal(&error));
    drop(stream);
    let Some((stream, has_rest)) = Arc::into_inner(talk).map(Talk::into_parts) else { return };
    let closed = async {
        match refusal {
            Some(refusal) => {
                shared.figures.request(refusal.status.as_u16(), None);
                stream::refuse(stream, &refusal).await;
            }
            None if has_rest => stream::linger(stream).await,
            None => {}
        }
    };
    let is_stopping = async {
        let _ = stop.wait_for(|&stop| stop).await;
    };
    tokio::select! {
        biased;
        () = closed => {}
        () = is_stopping => {}
    }
}
