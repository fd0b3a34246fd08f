//! Whether the launcher and the MPI library of the program belong together.

use crate::{CommunicationError, Result};

/// The variables by which launchers say how many ranks they have started.
const LAUNCHERS: [(&str, &str); 2] = [("OMPI_COMM_WORLD_SIZE", "Open MPI"), ("PMI_SIZE", "MPICH (Hydra)")];

/// A program under the launcher of another MPI is as many jobs of one rank each, which all would do the same work, and succeed.
pub(super) fn check(size: usize, library: &str, variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    let said: Vec<_> = (LAUNCHERS.into_iter())
        .filter_map(|(name, launcher)| Some((name, launcher, variable(name)?.parse::<usize>().ok()?)))
        .collect();
    match said.first() {
        // A job may be started within another one: one launcher that agrees is enough.
        Some((name, launcher, ranks)) if said.iter().all(|(.., ranks)| *ranks != size) => {
            let library = library.split(['\n', ',']).next().unwrap_or_default().trim();
            Err(CommunicationError::new(format!(
                "MPI counts {size} rank(s), the launcher {ranks} ({name}): the program is built with {library:?}, and was started \
                 by that of {launcher}. Start it by the mpirun of the MPI that it is built with, or build it with MPICC set to the \
                 mpicc of the other one; to run it alone within a job, unset {name}"
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(size: usize, variables: &[(&str, &str)]) -> Result<()> {
        let find = |name: &str| variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_string());
        check(size, "MPICH Version:\t4.0.2\nMPICH Release date: ..", find)
    }

    #[test]
    fn sizes_agree() {
        assert_eq!(check_with(1, &[]), Ok(()));
        assert_eq!(check_with(4, &[("OMPI_COMM_WORLD_SIZE", "4")]), Ok(()));
        assert_eq!(check_with(4, &[("PMI_SIZE", "4")]), Ok(()));
        // A job of MPICH within one of Open MPI.
        assert_eq!(check_with(2, &[("OMPI_COMM_WORLD_SIZE", "4"), ("PMI_SIZE", "2")]), Ok(()));
    }

    #[test]
    fn the_launcher_of_another_library_is_named() {
        let message = check_with(1, &[("OMPI_COMM_WORLD_SIZE", "4")]).unwrap_err().to_string();
        for part in
            ["MPI counts 1 rank(s)", "the launcher 4 (OMPI_COMM_WORLD_SIZE)", "MPICH Version:", "that of Open MPI"]
        {
            assert!(message.contains(part), "{message}");
        }
        assert!(check_with(1, &[("PMI_SIZE", "2")]).unwrap_err().to_string().contains("that of MPICH (Hydra)"));
    }
}
