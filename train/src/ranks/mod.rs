//! Training on several ranks: processes or threads that train one model together.

mod evaluation;
mod gradients;
mod group;
mod links;
mod meeting;
mod message;

pub(crate) use evaluation::Evaluated;
pub(crate) use links::{Links, Part};
pub(crate) use message::Outcome;

use std::fmt;
use std::sync::{Arc, OnceLock};

use gradus_distributed::{Communicator, Reduction};

use crate::error::{Error, Result};

/// The ranks that train a model together, for [`Trainer::distributed`](crate::Trainer::distributed).
///
/// A batch is cut into shards, 8 unless [`shards`](Ranks::shards) says otherwise, and each rank computes some of them. The gradients of
/// the shards are added along a fixed tree. So weights and measurements are the same to the last bit on one rank as on two, three
/// or eight, as long as the number of shards is the same.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_distributed::threads;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::Sgd;
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, Ranks, Trainer};
///
/// let train_on = |ranks: usize| {
///     let trained = threads::run(ranks, |communicator| {
///         let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
///         let data = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
///         let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42).unwrap();
///         let mut trainer =
///             Trainer::new(model, MeanSquaredError, Sgd::default()).distributed(Ranks::new(communicator));
///         trainer.fit(&data, Fit { epochs: 3, verbose: false, ..Fit::default() }).unwrap();
///         trainer.model().params()[0].value.item()
///     });
///     assert!(trained.iter().all(|weight| weight == &trained[0]));
///     trained[0]
/// };
/// assert_eq!(train_on(1).to_bits(), train_on(3).to_bits());
/// ```
pub struct Ranks {
    communicator: Box<dyn Communicator>,
    shards: usize,
    reduction: Reduction,
    bucket_bytes: usize,
    links: OnceLock<Arc<Links>>,
}

/// How much a run has sent, and how long that took: [`Ranks::traffic`].
///
/// ```
/// use gradus_train::Traffic;
/// let traffic = Traffic { bytes: 4_000_000, seconds: 0.5, waited: 0.1 };
/// assert_eq!(traffic.hidden(), 0.8);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    /// The bytes that this rank has sent.
    pub bytes: u64,
    /// How long gradients were exchanged, in seconds.
    pub seconds: f64,
    /// How long training waited for that after its backward sweep, in seconds.
    pub waited: f64,
}

impl Traffic {
    /// The share of the exchange of gradients that ran beside the backward sweep, from 0 to 1.
    pub fn hidden(&self) -> f64 {
        if self.seconds == 0.0 { 0.0 } else { (1.0 - self.waited / self.seconds).max(0.0) }
    }
}

impl Ranks {
    /// The ranks of a communicator.
    pub fn new(communicator: Box<dyn Communicator>) -> Self {
        Ranks { communicator, shards: 8, reduction: Reduction::Exact, bucket_bytes: 4 << 20, links: OnceLock::new() }
    }

    /// Sets the number of shards of a batch, at least that of the ranks. Another number gives other bits. A batch with fewer samples
    /// than shards is not cut: each rank computes all of it.
    #[must_use]
    pub fn shards(self, shards: usize) -> Self {
        Ranks { shards, ..self }
    }

    /// Sets how gradients are added: [`Reduction::Exact`], as by default, or [`Reduction::Fast`], with a shard for each rank and
    /// sums in whatever order the engine takes, so that bits differ from one number of ranks to another.
    #[must_use]
    pub fn reduction(self, reduction: Reduction) -> Self {
        Ranks { reduction, ..self }
    }

    /// Sets how many bytes of gradients are sent at once, 4 MiB by default. They go out as soon as they are there, while the sweep
    /// goes on to the layers before.
    #[must_use]
    pub fn bucket_bytes(self, bytes: usize) -> Self {
        Ranks { bucket_bytes: bytes, ..self }
    }

    /// Which of the ranks this one is, from 0.
    pub fn rank(&self) -> usize {
        self.communicator.rank()
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.communicator.size()
    }

    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        let traffic = self.links.get().map(|links| links.traffic()).unwrap_or_default();
        Traffic { bytes: self.communicator.bytes_sent(), ..traffic }
    }

    /// The communicator.
    pub fn communicator(&self) -> &dyn Communicator {
        &*self.communicator
    }

    /// The connections over which training exchanges; made at the first call, in which all ranks meet.
    pub(crate) fn links(&self) -> Result<Arc<Links>> {
        if let Some(links) = self.links.get() {
            return Ok(Arc::clone(links));
        }
        let (shards, size) = (self.shards, self.size());
        if self.reduction == Reduction::Exact && shards < size {
            let problem = format!("a batch is cut into {shards} shards, and there are {size} ranks");
            let hint = "give at least as many shards by Ranks::shards, or start fewer ranks";
            return Err(Error::new("distributed", problem, hint));
        }
        let links = Links::new(&*self.communicator, shards, self.reduction, self.bucket_bytes)?;
        Ok(Arc::clone(self.links.get_or_init(|| Arc::new(links))))
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ranks { shards, reduction, bucket_bytes, .. } = self;
        let mut ranks = f.debug_struct("Ranks");
        ranks.field("rank", &self.rank()).field("size", &self.size()).field("shards", shards);
        ranks.field("reduction", reduction).field("bucket_bytes", bucket_bytes).finish()
    }
}
