//! The tape: what was computed, in order, and how to go back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gradus_tensor::{Float, Shape, Tensor};
use smallvec::SmallVec;

use crate::var::Var;

/// From the gradient of an op's output to those of its inputs.
pub(crate) enum Derivative<T: Float> {
    /// Returns the gradient of an input.
    Whole(Input, Box<Whole<T>>),
    /// Adds to the gradient so far of an input.
    Part(Input, Box<Part<T>>),
    /// Returns the gradients of several inputs, of which those that are not recorded are `None`.
    Joint(Vec<Option<Input>>, Box<Joint<T>>),
}

impl<T: Float> Derivative<T> {
    /// The nodes to whose gradients it adds.
    fn sources(&self) -> SmallVec<[usize; 2]> {
        match self {
            Derivative::Whole(input, _) | Derivative::Part(input, _) => SmallVec::from_elem(input.source, 1),
            Derivative::Joint(inputs, _) => inputs.iter().flatten().map(|input| input.source).collect(),
        }
    }
}

type Whole<T> = dyn FnOnce(Tensor<T>) -> Tensor<T> + Send;
type Part<T> = dyn FnOnce(Tensor<T>, &mut Tensor<T>) + Send;
type Joint<T> = dyn FnOnce(Tensor<T>) -> Vec<Option<Tensor<T>>> + Send;

/// A recorded input of an op: the index of the node that made it, and its shape.
pub(crate) struct Input {
    pub source: usize,
    pub shape: Shape,
}

/// One op that was computed; a variable has no derivatives.
pub(crate) struct Node<T: Float> {
    pub op: &'static str,
    pub derivatives: SmallVec<[Derivative<T>; 2]>,
}

/// The nodes of one computation in the order of their creation: an input comes before the ops that use it.
///
/// Invariants: the sources of a node are earlier nodes; nodes hold tensors, never vars, so there are no cycles; a tape
/// serves one backward sweep, which takes the nodes out.
pub(crate) struct Nodes<T: Float> {
    pub list: Vec<Node<T>>,
    pub consumed: bool,
    /// On a checked tape, the ops that gave something that is not finite.
    faults: Option<Vec<Fault>>,
}

/// An op on a [checked](Tape::checked) tape that computed something that is not finite.
///
/// ```
/// use gradus_autograd::{Fault, Tape};
/// use gradus_tensor::Tensor;
/// let tape = Tape::checked();
/// let logarithms = tape.var(Tensor::new([0.0])).ln();
/// let gradients = tape.backward(&logarithms.sum(..));
/// assert_eq!(gradients.faults()[0], Fault { op: "ln", node: 1, in_gradient: false });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The name of the op.
    pub op: &'static str,
    /// The place of its output on the tape ([`Var::node`](crate::Var::node)).
    pub node: usize,
    /// Whether it was not the op's value, but a gradient of its inputs, made of a gradient of its output that was finite.
    pub in_gradient: bool,
}

/// A recording of ops, good for one backward sweep.
///
/// ```
/// use gradus_autograd::Tape;
/// use gradus_tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.var(Tensor::new([1.0, 2.0]));
/// let y = (&x * &x).sum(..);
/// let gradients = tape.backward(&y);
/// assert_eq!(gradients.of(&x), Tensor::new([2.0, 4.0]));
/// ```
pub struct Tape<T: Float = f32> {
    pub(crate) nodes: Arc<Mutex<Nodes<T>>>,
}

impl<T: Float> Tape<T> {
    /// A tape with nothing on it.
    pub fn new() -> Self {
        Tape { nodes: Arc::new(Mutex::new(Nodes { list: Vec::new(), consumed: false, faults: None })) }
    }

    /// A tape that notes which ops compute NaN or an infinity, for the search of where one came first. To look at each value
    /// takes time.
    ///
    /// ```
    /// use gradus_autograd::{Fault, Tape};
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::checked();
    /// let x = tape.var(Tensor::new([0.0]));
    /// let roots = x.sqrt();
    /// let gradients = tape.backward(&roots.sum(..));
    /// // The root is 0, and its slope there infinite.
    /// assert_eq!(gradients.faults(), [Fault { op: "sqrt", node: 1, in_gradient: true }]);
    /// ```
    pub fn checked() -> Self {
        let tape = Tape::new();
        lock(&tape.nodes).faults = Some(Vec::new());
        tape
    }

    /// A variable: a leaf of the computation, which [`Gradients::of`] can be asked about.
    pub fn var(&self, value: Tensor<T>) -> Var<T> {
        let place = self.append("var", &value, SmallVec::new());
        Var::placed(value, place)
    }

    /// Walks back from `loss`, a single number, to all leaves.
    ///
    /// Saved tensors are freed on the way; vars of this tape can still be read, but take part in no further op.
    ///
    /// # Panics
    /// If `loss` has more than one element or was not computed on this tape.
    #[track_caller]
    pub fn backward(self, loss: &Var<T>) -> Gradients<T> {
        self.backward_with(loss, None)
    }

    /// As [`backward`](Tape::backward). `done` takes the gradient of each leaf, with the leaf's place on the tape, as soon as the sweep
    /// adds nothing more to it. What `done` has taken is not among the gradients that are returned.
    #[track_caller]
    pub(crate) fn backward_with(self, loss: &Var<T>, mut done: Option<&mut Done<'_, T>>) -> Gradients<T> {
        if loss.value().size() != 1 {
            panic!("backward: the loss must be a single number, take its sum or mean first: {}", loss.value().shape());
        }
        let (mut slots, mut faults) = (Vec::new(), None);
        match &loss.place {
            Some(place) if Arc::ptr_eq(&place.tape, &self.nodes) => {
                let list = {
                    let mut nodes = lock(&self.nodes);
                    nodes.consumed = true;
                    faults = nodes.faults.take();
                    std::mem::take(&mut nodes.list)
                };
                slots.resize_with(list.len(), || None);
                slots[place.index] = Some(loss.value().ones_like());
                sweep(list, &mut slots, &mut faults, done.as_deref_mut());
                // The loss may be a leaf itself, which no node uses.
                if let Some(done) = done
                    && let Some(gradient) = slots[place.index].take()
                {
                    done(place.index, gradient);
                }
            }
            Some(_) => panic!("backward: the loss was computed on another tape"),
            // A loss that depends on no variable: every gradient is zero.
            None => {}
        }
        Gradients { tape: self.nodes, slots, faults: faults.unwrap_or_default() }
    }

    /// Appends the op that made a value.
    pub(crate) fn append(
        &self,
        op: &'static str,
        value: &Tensor<T>,
        derivatives: SmallVec<[Derivative<T>; 2]>,
    ) -> Place<T> {
        let mut nodes = lock(&self.nodes);
        assert!(
            !nodes.consumed,
            "{op}: an input belongs to a tape that a backward sweep has consumed; record each step on a new tape"
        );
        let (index, leaf) = (nodes.list.len(), derivatives.is_empty());
        if let Some(faults) = nodes.faults.as_mut().filter(|_| !is_finite(value)) {
            faults.push(Fault { op, node: index, in_gradient: false });
        }
        nodes.list.push(Node { op, derivatives });
        Place { tape: Arc::clone(&self.nodes), index, leaf }
    }
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        Tape::new()
    }
}

/// The nodes of a tape. The lock is there so that vars, of which constants are shared between threads, are `Sync`; a tape
/// itself is used by one thread, which never waits for it.
pub(crate) fn lock<T: Float>(nodes: &Mutex<Nodes<T>>) -> MutexGuard<'_, Nodes<T>> {
    // A panic on the way leaves the list as it was.
    nodes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where on which tape a var was made.
#[derive(Clone)]
pub(crate) struct Place<T: Float> {
    pub tape: Arc<Mutex<Nodes<T>>>,
    pub index: usize,
    pub leaf: bool,
}

fn is_finite<T: Float>(x: &Tensor<T>) -> bool {
    x.is_finite().all(..).item()
}

/// Takes the place of a leaf on the tape, and the leaf's gradient.
pub(crate) type Done<'a, T> = dyn FnMut(usize, Tensor<T>) + 'a;

/// Runs the derivatives from the last node to the first. Afterwards only leaves have gradients in `slots`: those that `done`, if there
/// is one, has not taken.
fn sweep<T: Float>(
    mut list: Vec<Node<T>>,
    slots: &mut [Option<Tensor<T>>],
    faults: &mut Option<Vec<Fault>>,
    mut done: Option<&mut Done<'_, T>>,
) {
    let mut first_uses = if done.is_some() { first_uses(&list) } else { Vec::new() };
    while let Some(node) = list.pop() {
        pass_back(node, list.len(), slots, faults);
        while let Some((_, leaf)) = first_uses.pop_if(|(user, _)| *user == list.len()) {
            if let (Some(done), Some(gradient)) = (done.as_mut(), slots[leaf].take()) {
                done(leaf, gradient);
            }
        }
    }
}

/// Each leaf that is used, behind the first node that uses it, in the order of these nodes. The sweep comes to that node last, and then
/// adds nothing more to the leaf's gradient.
fn first_uses<T: Float>(list: &[Node<T>]) -> Vec<(usize, usize)> {
    let mut is_used = vec![false; list.len()];
    let mut uses = Vec::new();
    for (user, node) in list.iter().enumerate() {
        for source in node.derivatives.iter().flat_map(Derivative::sources) {
            if list[source].derivatives.is_empty() && !std::mem::replace(&mut is_used[source], true) {
                uses.push((user, source));
            }
        }
    }
    uses
}

/// Passes the gradient of a node, if it has one, on to its inputs. `place` is that of the node on the tape.
fn pass_back<T: Float>(
    mut node: Node<T>,
    place: usize,
    slots: &mut [Option<Tensor<T>>],
    faults: &mut Option<Vec<Fault>>,
) {
    let Some(last) = node.derivatives.pop() else {
        return;
    };
    let Some(gradient) = slots[place].take() else {
        return;
    };
    // Where the ops behind it were at fault, it is not.
    let checked = faults.as_ref().filter(|_| is_finite(&gradient));
    let sources: Option<Vec<usize>> =
        checked.map(|_| node.derivatives.iter().chain([&last]).flat_map(Derivative::sources).collect());
    for derivative in node.derivatives {
        pass_on(derivative, gradient.clone(), slots);
    }
    // The last derivative gets the gradient itself and may compute in its memory.
    pass_on(last, gradient, slots);
    let at_fault = |source: &usize| slots[*source].as_ref().is_some_and(|gradient| !is_finite(gradient));
    if let (Some(faults), Some(sources)) = (faults.as_mut(), sources)
        && sources.iter().any(at_fault)
    {
        faults.push(Fault { op: node.op, node: place, in_gradient: true });
    }
}

/// Adds the gradients that a derivative makes of the output's to the gradients so far of its inputs.
fn pass_on<T: Float>(derivative: Derivative<T>, gradient: Tensor<T>, slots: &mut [Option<Tensor<T>>]) {
    match derivative {
        Derivative::Whole(input, derivative) => add(&input, derivative(gradient), slots),
        Derivative::Part(input, derivative) => {
            let sum = slots[input.source].get_or_insert_with(|| Tensor::zeros(input.shape));
            derivative(gradient, sum);
        }
        Derivative::Joint(inputs, derivative) => {
            for (input, outgoing) in inputs.iter().zip(derivative(gradient)) {
                if let (Some(input), Some(outgoing)) = (input, outgoing) {
                    add(input, outgoing, slots);
                }
            }
        }
    }
}

/// Adds a gradient to that of an input so far. Where the forward pass broadcast the input, its gradient is summed back
/// here: no derivative knows of broadcasting.
fn add<T: Float>(input: &Input, mut outgoing: Tensor<T>, slots: &mut [Option<Tensor<T>>]) {
    if outgoing.shape() != &input.shape {
        outgoing = outgoing.sum_to(&input.shape);
    }
    let slot = &mut slots[input.source];
    *slot = Some(match slot.take() {
        Some(sum) => sum + outgoing,
        None => outgoing,
    });
}

/// What a backward sweep found: the gradient of each leaf.
///
/// ```
/// use gradus_autograd::Tape;
/// use gradus_tensor::Tensor;
/// let tape = Tape::new();
/// let (x, unused) = (tape.var(Tensor::new([1.0, 3.0])), tape.var(Tensor::new([7.0])));
/// let gradients = tape.backward(&x.square().sum(..));
/// assert_eq!(gradients.of(&x), Tensor::new([2.0, 6.0]));
/// assert_eq!(gradients.of(&unused), Tensor::new([0.0]));
/// ```
pub struct Gradients<T: Float = f32> {
    tape: Arc<Mutex<Nodes<T>>>,
    slots: Vec<Option<Tensor<T>>>,
    faults: Vec<Fault>,
}

impl<T: Float> Gradients<T> {
    /// The gradient of the loss with respect to a leaf, in its shape; zeros if the loss does not depend on it.
    ///
    /// # Panics
    /// If `leaf` is not a variable made by [`Tape::var`] on this tape.
    #[track_caller]
    pub fn of(&self, leaf: &Var<T>) -> Tensor<T> {
        let shape = leaf.shape();
        let place = match &leaf.place {
            None => panic!("of: a constant has no gradient; make it a variable of the tape first: {shape}"),
            Some(place) if !Arc::ptr_eq(&place.tape, &self.tape) => {
                panic!("of: this is a variable of another tape: {shape}")
            }
            Some(place) if !place.leaf => {
                panic!("of: the gradient of a result is not kept, only that of a variable: {shape}")
            }
            Some(place) => place,
        };
        match self.slots.get(place.index) {
            Some(Some(gradient)) => gradient.clone(),
            _ => leaf.value().zeros_like(),
        }
    }

    /// The ops that computed something that is not finite, if the tape was [checked](Tape::checked): in the order in which they
    /// were computed, first values, then gradients.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// Moves the gradient of a leaf out, if the loss depends on it.
    pub(crate) fn take(&mut self, leaf: &Var<T>) -> Option<Tensor<T>> {
        self.slots.get_mut(leaf.place.as_ref()?.index)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ln 0 is -inf, and e to that is 0 again; the derivative of the logarithm is 0 / 0 then.
    #[test]
    fn a_checked_tape_names_the_ops_at_fault() {
        let faults = |tape: Tape| {
            let x = tape.var(Tensor::new([0.0, 1.0]));
            let y = x.ln().exp().sum(..);
            assert_eq!(y.value(), &Tensor::new(1.0));
            tape.backward(&y).faults().to_vec()
        };
        let ln = |in_gradient| Fault { op: "ln", node: 1, in_gradient };
        assert_eq!(faults(Tape::checked()), [ln(false), ln(true)]);
        assert_eq!(faults(Tape::new()), []);
    }
}
