//! The names of what a run measures, checked before the first batch.

use gradus_nn::OutputInfo;
use gradus_tensor::Float;

use crate::error::{Error, Result};
use crate::history::VALIDATION;
use crate::metrics::OutputMetric;

/// What to do about a metric whose name is taken.
const NAMED: &str = "give it another name, by metrics::Named::new";

/// Checks that each measurement has a name of its own, and that none is taken for one of the validation.
pub(crate) fn check_names<T: Float>(
    op: &str,
    outputs: &[OutputInfo],
    metrics: &[OutputMetric<T>],
    validates: bool,
) -> Result<()> {
    let mut measured = vec![("loss".to_owned(), "the loss".to_owned())];
    if outputs.len() > 1 {
        let loss_of =
            |OutputInfo { name, .. }: &OutputInfo| (format!("{name}_loss"), format!("the loss of output {name}"));
        measured.extend(outputs.iter().map(loss_of));
    }
    for (place, OutputMetric { name, kind, .. }) in metrics.iter().enumerate() {
        let metric = format!("metric {} ({kind})", place + 1);
        if name.starts_with(VALIDATION) {
            return Err(Error::new(
                op,
                format!("{metric} is named {name:?}, as a measurement of the validation"),
                NAMED,
            ));
        }
        measured.push((name.clone(), metric));
    }
    if validates {
        let validated =
            |(name, what): &(String, String)| (format!("{VALIDATION}{name}"), format!("{what} on the validation set"));
        measured.extend(measured.iter().map(validated).collect::<Vec<_>>());
    }
    // The columns of a CSV log beside the measurements.
    let columns = [("epoch", "the number of the epoch"), ("learning_rate", "the learning rate")];
    let names: Vec<_> =
        columns.map(|(name, what)| (name.to_owned(), what.to_owned())).into_iter().chain(measured).collect();
    for (place, (name, what)) in names.iter().enumerate() {
        if let Some((_, before)) = names[..place].iter().find(|(known, _)| known == name) {
            let hint = if what.starts_with("metric") { NAMED } else { "give the output of the model another name" };
            return Err(Error::new(op, format!("both {before} and {what} are named {name:?}"), hint));
        }
    }
    Ok(())
}
