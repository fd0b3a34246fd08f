//! A server: its options, its address, its life.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gradus_nn::Model;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::batcher::{Batcher, Gathering};
use crate::connection::{self, Shared};
use crate::figures::Figures;
use crate::request::Bounds;

/// A model and how it is to be served; [`bind`](Server::bind) opens the port.
///
/// ```no_run
/// use gradus_nn::Model;
/// use gradus_serve::Server;
/// let model = Model::load("digits.safetensors")?;
/// Server::new(model).name("digits").bind("127.0.0.1:8501")?.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Server {
    model: Model,
    name: String,
    gathering: Gathering,
    pub(crate) limits: Limits,
}

/// What connections may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bounds: Bounds,
    pub(crate) body: usize,
    pub(crate) bodies: usize,
    pub(crate) connections: usize,
    pub(crate) head_time: Duration,
    pub(crate) body_time: Duration,
    pub(crate) stop_time: Duration,
}

impl Server {
    /// A server of this model under the name `model`, with the defaults that each option names.
    pub fn new(model: Model) -> Self {
        let gathering = Gathering { batch: 64, delay: Duration::ZERO, group: 1, queue: 1024 };
        let limits = Limits {
            bounds: Bounds::default(),
            body: 32 << 20,
            bodies: 256 << 20,
            connections: 1024,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
        };
        Server { model, name: "model".to_owned(), gathering, limits }
    }

    /// The name in the addresses: `/v1/models/NAME:predict`.
    ///
    /// # Panics
    /// If the name is empty or has other characters than letters, digits, `_`, `-` and `.` of ASCII.
    #[track_caller]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        assert!(is_name(&self.name), "name: {:?} must be letters, digits, _, - and .", self.name);
        self
    }

    /// The most samples that are gathered into a batch: 64 unless told otherwise. A request of more is a batch by itself.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn batch(mut self, samples: usize) -> Self {
        assert!(samples > 0, "batch: a batch has at least one sample");
        self.gathering.batch = samples;
        self
    }

    /// How long a request waits for others to be gathered with: 0 unless told otherwise, so that a batch is what has come
    /// while the batch before was predicted.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.gathering.delay = delay;
        self
    }

    /// How many samples are predicted at once: 1 unless told otherwise. The last group of a batch is filled up by copies.
    ///
    /// The last bits of an answer depend on this number, and on nothing else that others ask. With 1 they are those
    /// of `model.predict` of the sample alone. Large dense layers are several times faster in groups of 8 or 16;
    /// convolutions are not.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn group(mut self, samples: usize) -> Self {
        assert!(samples > 0, "group: a group has at least one sample");
        self.gathering.group = samples;
        self
    }

    /// The most requests that wait: 1024 unless told otherwise. Beyond it the answer is 503 with `Retry-After`.
    pub fn queue(mut self, requests: usize) -> Self {
        self.gathering.queue = requests;
        self
    }

    /// What a request may ask for.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.limits.bounds = bounds;
        self
    }

    /// The most bytes of a request's body: 32 MiB unless told otherwise. Beyond it the answer is 413. All bodies that are being
    /// read may take eight times as much together; what has been read and waits is not counted.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self.limits.bodies = bytes.saturating_mul(8);
        self
    }

    /// The most connections at a time: 1024 unless told otherwise. A further one is answered 503 and closed.
    pub fn connections(mut self, most: usize) -> Self {
        // More than any system lets a process open.
        self.limits.connections = most.min(1 << 24);
        self
    }

    /// How long the head of a request, and then its body, may take to come: 10 and 30 seconds unless told otherwise. A
    /// connection without a request is closed after the first.
    pub fn patience(mut self, head: Duration, body: Duration) -> Self {
        (self.limits.head_time, self.limits.body_time) = (head, body);
        self
    }

    /// How long a stop may take to answer what has been asked: 10 seconds unless told otherwise.
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.limits.stop_time = time;
        self
    }

    /// Opens the port. Port 0 asks the system for a free one. Connections wait until the server runs.
    ///
    /// # Errors
    /// If the address is none of this machine, or the port is taken.
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Bound> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let cores = thread::available_parallelism().map_or(2, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.clamp(2, 4))
            .thread_name("gradus-http")
            .enable_all()
            .build()?;
        Ok(Bound { server: self, listener, address, runtime })
    }
}

/// Whether a model may be served under this name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The name of a file without its ending, as the name of a model: other characters than a name may have become `_`.
pub fn name_of(path: impl AsRef<Path>) -> String {
    let stem = path.as_ref().file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem.chars().map(|c| if is_name(c.encode_utf8(&mut [0; 4])) { c } else { '_' }).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

/// A server whose port is open.
pub struct Bound {
    server: Server,
    listener: TcpListener,
    address: SocketAddr,
    runtime: Runtime,
}

impl Bound {
    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process gets SIGTERM or SIGINT. Then it takes no more connections, answers what it has taken, and
    /// returns.
    ///
    /// # Errors
    /// If the system does not let it listen, or hear of signals.
    pub fn run(self) -> io::Result<()> {
        self.run_until(async { signalled().await.map_err(io::Error::other) })
    }

    /// Serves in threads of its own, until it is stopped.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_serve::Server;
    /// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
    /// let running = Server::new(model).bind("127.0.0.1:0")?.spawn();
    /// println!("http://{}/", running.address());
    /// running.stop()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(self) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let address = self.address;
        let until = async {
            // To drop what stops a server stops it, too.
            let _ = stopped.await;
            Ok(())
        };
        Running { address, stop, thread: thread::spawn(|| self.run_until(until)) }
    }

    /// Serves until a future is ready.
    ///
    /// # Errors
    /// The future's, or if the system does not let it listen.
    pub fn run_until(self, until: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let Bound { server: Server { model, name, gathering, limits }, listener, runtime, .. } = self;
        let figures = Arc::new(Figures::new(&name));
        let batcher = Arc::new(Batcher::new(model, gathering, Arc::clone(&figures)));
        let worker = {
            let batcher = Arc::clone(&batcher);
            thread::Builder::new().name("gradus-model".to_owned()).spawn(move || batcher.work())?
        };
        let shared = Arc::new(Shared::new(name, limits, Arc::clone(&batcher), figures));
        let (outcome, stopped) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let places = Arc::new(Semaphore::new(limits.connections));
            let (stopping, stop) = watch::channel(false);
            let outcome = tokio::select! {
                outcome = until => outcome,
                () = connection::accept(listener, &shared, &places, &stop) => Ok(()),
            };
            let stopped = Instant::now();
            let _ = stopping.send(true);
            // Each connection holds a place until it ends.
            let all = places.acquire_many(limits.connections.try_into().unwrap_or(u32::MAX));
            let _ = tokio::time::timeout(limits.stop_time, all).await;
            Ok::<_, io::Error>((outcome, stopped))
        })?;
        batcher.close();
        runtime.shutdown_background();
        // The worker may still compute for a client that has gone: that must not keep the program for longer.
        while !worker.is_finished() && stopped.elapsed() < limits.stop_time {
            thread::sleep(Duration::from_millis(1));
        }
        outcome
    }
}

/// A server that runs in threads of its own.
pub struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Running {
    /// The address that it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it when it has answered what it has taken.
    ///
    /// # Errors
    /// If the system did not let it serve.
    pub fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the server panicked")))
    }
}

/// Waits for SIGTERM or SIGINT.
async fn signalled() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
