//! A server: its options, its address, its life.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use gradus_datasets::Preparation;
use gradus_nn::Model;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::batcher::{Batcher, Gathering};
use crate::connection::{self, Shared};
use crate::figures::Figures;
use crate::hosts::Hosts;
use crate::request::Bounds;
use crate::table;

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
#[must_use = "a server serves after `bind`"]
pub struct Server {
    model: Model,
    name: String,
    hosts: Vec<String>,
    gathering: Gathering,
    limits: Limits,
    /// `None`: as many as suit the system.
    connections: Option<usize>,
}

/// What stands for "no limit" of a time: a thousand years are more than clocks can add.
const EVER: Duration = Duration::from_secs(1 << 30);
/// Files besides connections that the process may need: standard streams, those of the runtime, connections turned away.
const OTHER_FILES: usize = 32 + connection::TURNED_AWAY;

/// What connections may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bounds: Bounds,
    pub(crate) body: usize,
    pub(crate) memory: usize,
    pub(crate) head_time: Duration,
    pub(crate) body_time: Duration,
    pub(crate) answer_time: Duration,
    pub(crate) stop_time: Duration,
}

impl Server {
    /// A server of this model under the name `model`, with the defaults that each option names.
    pub fn new(model: Model) -> Self {
        let gathering = Gathering { batch: 64, delay: Duration::ZERO, group: 1, queue: 1024 };
        let limits = Limits {
            bounds: Bounds::default(),
            body: 32 << 20,
            memory: 256 << 20,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
        };
        Server { model, name: "model".to_owned(), hosts: Vec::new(), gathering, limits, connections: None }
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

    /// Adds a name under which the server may be asked; call it once for each.
    ///
    /// A server that listens at the loopback refuses requests for other hosts than `localhost` and the loopback's
    /// addresses, and those of pages of other hosts, by 403: a web page could otherwise use it through the browser
    /// of whoever runs it. Name the host here that a proxy passes on. Elsewhere names are looked at
    /// only if there are any given here. `*` allows all.
    ///
    /// # Panics
    /// If the name is empty.
    #[track_caller]
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        assert!(self.hosts.iter().all(|name| !name.is_empty()), "allow_host: the name is empty");
        self
    }

    /// The most samples that are gathered into a batch: 64 unless told otherwise. A request of more is predicted batch by
    /// batch, and those of others in between.
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
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn queue(mut self, requests: usize) -> Self {
        assert!(requests > 0, "queue: at least one request must be able to wait");
        self.gathering.queue = requests;
        self
    }

    /// What a request may ask for.
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.limits.bounds = bounds;
        self
    }

    /// The most bytes of a request's body: 32 MiB unless told otherwise. Beyond it the answer is 413.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.limits.body = bytes;
        self
    }

    /// The most bytes that all requests may take together: 256 MiB unless told otherwise. Beyond it the answer is 503 with
    /// `Retry-After`, or 413 if a request would take more by itself.
    ///
    /// A request takes its body while that comes, and up to twice that while it grows; then its tensors; and then its answer
    /// until the client has read it. While the body is read into tensors, a number takes up to 12 bytes and an id 24. What
    /// comes on top is up to 128 KiB for the head of each connection's request, and what the model needs for one batch. The
    /// process holds up to about twice as much in all, since freed memory is kept to be used again.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.limits.memory = bytes;
        self
    }

    /// The most connections at a time: 1024 unless told otherwise, or fewer if the process may not have as many files open.
    /// A further one is answered 503 and closed.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn connections(mut self, most: usize) -> Self {
        assert!(most > 0, "connections: at least one must be able to connect");
        self.connections = Some(most);
        self
    }

    /// How long the head of a request, and then its body, may take to come: 10 and 30 seconds unless told otherwise. A
    /// connection without a request is closed after the first. The client must have read an answer within the second, too.
    pub fn patience(mut self, head: Duration, body: Duration) -> Self {
        (self.limits.head_time, self.limits.body_time) = (head.min(EVER), body.min(EVER));
        self
    }

    /// How long a request may wait and be computed: 30 seconds unless told otherwise. Then the answer is 504. A batch that
    /// is being computed goes on to its end.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.answer_time = time.min(EVER);
        self
    }

    /// How long a stop may take to answer what has been asked: 10 seconds unless told otherwise.
    pub fn stop_within(mut self, time: Duration) -> Self {
        self.limits.stop_time = time.min(EVER);
        self
    }

    /// Opens the port. Port 0 asks the system for a free one. Connections wait until the server runs.
    ///
    /// # Errors
    /// If the address is none of this machine, the port is taken, or the process may not open as many files as it is to
    /// have connections; or if the model's preparation of tables is none, or makes other inputs than the model takes.
    pub fn bind(self, address: impl ToSocketAddrs) -> io::Result<Bound> {
        let preparation =
            table::preparation(&self.model).map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        let files = open_files();
        let most = files.map_or(usize::MAX, |files| files.saturating_sub(OTHER_FILES)).min(Semaphore::MAX_PERMITS >> 3);
        let connections = match self.connections {
            Some(connections) if connections > most => {
                let files = files.unwrap_or(most);
                let text = format!(
                    "{connections} connections: this process may have {files} files open, and {OTHER_FILES} are for other \
                     things; raise the limit (`ulimit -n`), or ask for at most {most}"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            Some(connections) => connections,
            // Systems that do not tell let a process have 256 files at least.
            None => 1024.min(if files.is_some() { most } else { 256 - OTHER_FILES }).max(1),
        };
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Bound { server: self, preparation, listener, address, connections })
    }
}

/// The most files that this process may have open, where the system tells it as Linux does.
fn open_files() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

/// Whether a model may be served under this name.
///
/// ```
/// assert!(gradus_serve::is_name("digits-2.1"));
/// assert!(!gradus_serve::is_name("digits/2"));
/// ```
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The name of a file without its ending, as the name of a model: other characters than a name may have become `_`.
///
/// ```
/// assert_eq!(gradus_serve::name_of("models/my digits.safetensors"), "my_digits");
/// ```
pub fn name_of(path: impl AsRef<Path>) -> String {
    let stem = path.as_ref().file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem.chars().map(|c| if is_name(c.encode_utf8(&mut [0; 4])) { c } else { '_' }).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

/// A server whose port is open.
///
/// [`run`](Bound::run) and [`run_until`](Bound::run_until) block their thread. In an async function of tokio, which may not
/// be blocked, call [`spawn`](Bound::spawn).
#[must_use = "a server serves after `run`, `run_until` or `spawn`"]
pub struct Bound {
    server: Server,
    preparation: Option<Preparation>,
    listener: TcpListener,
    address: SocketAddr,
    connections: usize,
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
    ///
    /// # Panics
    /// In an async function of tokio.
    #[track_caller]
    pub fn run(self) -> io::Result<()> {
        self.run_until(async { signalled().await.map_err(io::Error::other) })
    }

    /// Serves in threads of its own, until what is returned is stopped or dropped: `let _ = bound.spawn()` stops it at once.
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
    ///
    /// # Panics
    /// In an async function of tokio.
    #[track_caller]
    pub fn run_until(self, until: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let Bound { server, preparation, listener, address, connections } = self;
        let Server { model, name, hosts, gathering, limits, .. } = server;
        assert!(Handle::try_current().is_err(), "a server blocks its thread: in async functions, call `spawn` instead");
        let cores = thread::available_parallelism().map_or(2, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores.clamp(2, 4))
            .thread_name("gradus-http")
            .enable_all()
            .build()?;
        let figures = Arc::new(Figures::new(&name));
        let batcher = Arc::new(Batcher::new(model, gathering, Arc::clone(&figures)));
        let worker = {
            let batcher = Arc::clone(&batcher);
            thread::Builder::new().name("gradus-model".to_owned()).spawn(move || batcher.work())?
        };
        let hosts = Hosts::new(address, &hosts);
        let shared = Arc::new(Shared::new(name, preparation, limits, hosts, Arc::clone(&batcher), figures));
        let (outcome, stopped) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let places = Arc::new(Semaphore::new(connections));
            let (stopping, stop) = watch::channel(false);
            let outcome = tokio::select! {
                outcome = until => outcome,
                () = connection::accept(listener, &shared, &places, &stop) => Ok(()),
            };
            let stopped = Instant::now();
            let _ = stopping.send(true);
            // Each connection holds a place until it ends.
            let all = places.acquire_many(connections.try_into().unwrap_or(u32::MAX));
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

/// A server that runs in threads of its own. To drop it stops it, without waiting for that.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_serve::Server;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// // Port 0 is any that is free.
/// let running = Server::new(model).bind("127.0.0.1:0")?.spawn();
/// assert_ne!(running.address().port(), 0);
/// running.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a server stops when this is dropped"]
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
