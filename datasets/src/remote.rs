//! The address at which a file of a data set is published.

/// A published file of a data set, or an archive (`.zip`, `.tar.gz`) that holds some of its files.
///
/// Data sets of one's own name theirs in [`DataFiles::remotes`](crate::DataFiles::remotes):
///
/// ```
/// use gradus_datasets::cifar10;
/// for remote in cifar10::FILES.remotes {
///     println!("{} (md5 {})", remote.url, remote.md5);
/// }
/// # assert_eq!(cifar10::FILES.remotes[0].md5.len(), 32);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// The address.
    pub url: &'static str,
    /// The md5 sum of the bytes that are published there, before any unpacking, in hexadecimal.
    pub md5: &'static str,
}

impl Remote {
    /// Whether this is an archive of several files.
    pub(crate) fn is_archive(&self) -> bool {
        [".zip", ".tar.gz"].iter().any(|ending| self.url.ends_with(ending))
    }

    /// The last part of the address.
    #[cfg(feature = "download")]
    pub(crate) fn file_name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    /// The address without its last part.
    pub(crate) fn parent(&self) -> &str {
        self.url.rsplit_once('/').map_or(self.url, |(parent, _)| parent)
    }
}
