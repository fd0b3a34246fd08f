//! What newcomers do wrong, and the message that each mistake gets, word by word.
//!
//! A message says what was given, what was expected, and one thing to do. Mistakes of the program panic at the line that
//! makes them (`op: what is wrong: all shapes`); what comes from outside is an error.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use gradus::datasets::{ByteSource, idx};
use gradus::prelude::*;

/// What the newcomer did, the message it got, and the message it should get.
type Row = (&'static str, String, &'static str);

/// The message of a panic, and the file that it blames if that is not this one: a panic names the caller's line.
fn panic<R>(mistake: impl FnOnce() -> R) -> String {
    let blamed = Arc::new(Mutex::new(String::new()));
    let note = Arc::clone(&blamed);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        *note.lock().unwrap() = info.location().map(|location| location.file().to_owned()).unwrap_or_default();
    }));
    let caught = panic::catch_unwind(AssertUnwindSafe(mistake)).err();
    panic::set_hook(hook);
    let blamed = blamed.lock().unwrap();
    let message = match caught.map(|caught| caught.downcast::<String>()) {
        None => return "(no panic)".to_owned(),
        Some(Ok(message)) => *message,
        Some(Err(caught)) => (*caught.downcast::<&str>().expect("panics have messages")).to_owned(),
    };
    if *blamed == file!() { message } else { format!("{message} (blaming {blamed})") }
}

/// The message of an error.
fn error<R, E: std::fmt::Display>(result: Result<R, E>) -> String {
    result.err().map_or("(no error)".to_owned(), |error| error.to_string())
}

fn tensors() -> Vec<Row> {
    let x = Tensor::<f32>::ones([2, 3]);
    vec![
        (
            "adds tensors of unlike shapes",
            panic(|| &x + Tensor::ones([4])),
            "add: the shapes do not broadcast together: [2, 3] and [4]",
        ),
        (
            "multiplies matrices the wrong way round",
            panic(|| x.matmul(&Tensor::ones([2, 5]))),
            "matmul: the inner lengths 3 and 2 differ: [2, 3] and [2, 5]",
        ),
        (
            "multiplies a matrix by a scalar with matmul",
            panic(|| x.matmul(&Tensor::scalar(2.0))),
            "matmul: a scalar has no rows or columns: [2, 3] and []",
        ),
        (
            "takes the dot product of matrices",
            panic(|| x.dot(&x)),
            "dot: two tensors of one axis and the same length are needed: [2, 3] and [2, 3]",
        ),
        (
            "reshapes to another number of elements",
            panic(|| x.reshape([2, 4])),
            "reshape: 6 elements do not fill a shape of 8: [2, 3] to [2, 4]",
        ),
        (
            "makes a tensor of too few numbers",
            error(Tensor::from_vec(vec![1.0, 2.0, 3.0], [2, 2])),
            "3 elements do not fill a shape of 4: [3] to [2, 2]",
        ),
        (
            "broadcasts to a smaller shape",
            panic(|| x.broadcast_to([3])),
            "broadcast_to: [2, 3] does not broadcast to [3]",
        ),
        (
            "sums over an axis that is not there",
            panic(|| x.sum(2)),
            "sum: axis 2 is out of range, axes are -2 to 1: [2, 3]",
        ),
        ("averages twice over an axis", panic(|| x.mean([1, -1])), "mean: axis -1 is named twice: [2, 3]"),
        (
            "takes the one number of many",
            panic(|| x.item()),
            "item: exactly one element is needed, there are 6: [2, 3]",
        ),
        ("asks for an element beyond the end", panic(|| x.get([2, 0])), "get: there is no element [2, 0]: [2, 3]"),
        ("selects a row beyond the end", panic(|| x.select(0, 2)), "select: axis 0 has no element 2: [2, 3]"),
        (
            "gathers rows by indices counted from 1",
            panic(|| x.index_select(0, &Tensor::from([1, 2]))),
            "index_select: index 2 is out of range along axis 0: [2, 3]",
        ),
        (
            "forgets an axis when permuting",
            panic(|| x.permute([1])),
            "permute: the order [1] must name each of the 2 axes once: [2, 3]",
        ),
        ("squeezes an axis of length 3", panic(|| x.squeeze(1)), "squeeze: axis 1 is not of length 1: [2, 3]"),
        (
            "joins rows of unlike widths",
            panic(|| Tensor::concat(&[x.clone(), Tensor::ones([2, 4])], 0)),
            "concat: the shapes differ along another axis than 0: [2, 3], [2, 4]",
        ),
        (
            "stacks tensors of unlike shapes",
            panic(|| Tensor::stack(&[x.clone(), Tensor::ones([3, 2])], 0)),
            "stack: the shapes differ: [2, 3], [3, 2]",
        ),
        (
            "splits at lengths that do not add up",
            panic(|| x.split(1, &[1, 1])),
            "split: the lengths [1, 1] do not add up to axis 1: [2, 3]",
        ),
        (
            "looks for the largest of nothing",
            panic(|| Tensor::<f32>::zeros([2, 0]).argmax(1)),
            "argmax: axis 1 has no elements to choose from: [2, 0]",
        ),
        (
            "makes ten digits one-hot in nine classes",
            panic(|| Tensor::from([0, 9]).one_hot::<f32>(9)),
            "one_hot: label 9 is not in 0..9: [2]",
        ),
    ]
}

/// The message of a network that cannot be built for samples of this shape.
fn unbuilt(network: Sequential, input: &[usize]) -> String {
    error(Model::build(network, input, 0))
}

fn networks() -> Vec<Row> {
    let chain = Sequential::new;
    let two_layers = || Model::build(chain().add(Dense::new(4)).add(Dense::new(2)), [3], 0).unwrap();
    vec![
        (
            "feeds a convolution pictures without channels",
            unbuilt(chain().add(Conv2D::new(8, [3, 3])), &[28, 28]),
            "layer 0 (Conv2D): needs samples of shape [height, width, channels], found [28, 28]; add an axis of one \
             channel: Reshape it, or unsqueeze(-1) the data",
        ),
        (
            "convolves once more than the picture is large",
            unbuilt(chain().add(Conv2D::new(8, [3, 3])).add(Conv2D::new(8, [5, 5])), &[6, 6, 1]),
            "layer 1 (Conv2D): a kernel of [5, 5] (dilation [1, 1]) does not fit the input [4, 4] (padding [(0, 0), \
             (0, 0)]); make the kernel or the dilation smaller, or pad with Padding::Same",
        ),
        (
            "divides three channels by two groups",
            unbuilt(chain().add(Conv2D::new(8, [3, 3]).groups(2)), &[6, 6, 3]),
            "layer 0 (Conv2D): 2 groups must divide the 3 input channels and the 8 filters; choose a number of groups \
             that divides both",
        ),
        (
            "gives a convolution a negative padding",
            Sequential::from_json(
                &chain()
                    .add(Conv2D::new(8, [3, 3]).padding(Padding::Explicit(vec![(7, 7), (7, 7)])))
                    .to_json()
                    .unwrap()
                    .replace('7', "-7"),
            )
            .err()
            .unwrap()
            .to_string(),
            "from_json: layer 0 (Conv2D): field `padding`: invalid value: integer `-7`, expected usize; compare it with what to_json \
             writes",
        ),
        (
            "pads what a transposed convolution makes away",
            unbuilt(
                chain().add(Conv2DTranspose::new(8, [3, 3]).padding(Padding::Explicit(vec![(2, 2), (0, 0)]))),
                &[2, 6, 3],
            ),
            "layer 0 (Conv2DTranspose): padding Explicit([(2, 2), (0, 0)]) leaves nothing of the output for an input \
             [2, 6]; pad by less, or give a larger input",
        ),
        (
            "pads the output of a transposed convolution by more than its strides merge",
            unbuilt(chain().add(Conv2DTranspose::new(8, [3, 3]).output_padding([1, 0])), &[6, 6, 3]),
            "layer 0 (Conv2DTranspose): output_padding must be less than the strides [1, 1], found [1, 0]; it says which \
             of the lengths that a stride merges is meant",
        ),
        (
            "pools by windows larger than the picture",
            unbuilt(chain().add(MaxPooling2D::new([4, 4])), &[3, 3, 1]),
            "layer 0 (MaxPooling2D): windows of [4, 4] do not fit the input [3, 3] (padding [(0, 0), (0, 0)]); make the \
             windows smaller, or pad with Padding::Same",
        ),
        (
            "feeds a dense layer single numbers",
            unbuilt(chain().add(Dense::new(3)), &[]),
            "layer 0 (Dense): needs an input with a last axis of features, found one number per sample: []; give the \
             inputs the shape [n, 1]",
        ),
        (
            "makes a layer of no units",
            unbuilt(chain().add(Flatten).add(Dense::new(0)), &[28, 28]),
            "layer 1 (Dense): needs at least one unit, found 0; give the number of outputs",
        ),
        (
            "takes the softmax of a single unit",
            unbuilt(chain().add(Dense::new(1).activation(Activation::Softmax)), &[3]),
            "layer 0 (Dense): softmax of a single unit is always 1; use Activation::Sigmoid for a yes or no, or one unit \
             for each class",
        ),
        (
            "reshapes samples to another number of elements",
            unbuilt(chain().add(Reshape::new([28, 28])), &[783]),
            "layer 0 (Reshape): samples of shape [783], 783 elements, do not fill [28, 28]; make the lengths' product \
             that number, or one length -1",
        ),
        (
            "counts the axes of Permute from 0",
            unbuilt(chain().add(Permute::new([1, 0])), &[28, 28]),
            "layer 0 (Permute): the axes [1, 0] are no order of those of samples of shape [28, 28]; name each axis once, \
             counted from 1",
        ),
        (
            "drops by per cent",
            unbuilt(chain().add(Dropout::new(50.0)), &[3]),
            "layer 0 (Dropout): the rate must be at least 0 and less than 1, found 50; give the share to drop: 0.5 is \
             half",
        ),
        (
            "gives batch normalisation a momentum of 99 per cent",
            unbuilt(chain().add(BatchNormalization::new().momentum(99.0)), &[3]),
            "layer 0 (BatchNormalization): the momentum must be from 0 to 1, found 99; Keras's is 0.99",
        ),
        (
            "adapts a normalisation to other data than it is built for",
            unbuilt(chain().add(Normalization::adapt(&Tensor::<f32>::ones([9, 4])).unwrap()), &[5]),
            "layer 0 (Normalization): was adapted to 4 features, found samples of shape [5]; adapt it to data of the \
             shape that the network is built for",
        ),
        (
            "errs in a network within a network",
            unbuilt(chain().add(Flatten).add_named("head", chain().add(Dense::new(0))), &[3]),
            "layer head/0 (Dense): needs at least one unit, found 0; give the number of outputs",
        ),
        (
            "gives two layers the same name",
            panic(|| chain().add_named("hidden", Flatten).add_named("hidden", Flatten)),
            "add_named: a layer's name must be new, not empty and without '/': \"hidden\"",
        ),
        (
            "forgets a layer of a graph",
            panic(|| {
                let mut graph = Graph::builder();
                let x = graph.input();
                graph.add_named("forgotten", Flatten, [x]);
                let y = graph.add(Dense::new(2), [x]);
                graph.output(y)
            }),
            "output: the network does not use all that was added to it: forgotten",
        ),
        (
            "connects two graphs",
            panic(|| {
                let (mut graph, mut other) = (Graph::builder(), Graph::builder());
                let (x, y) = (graph.input(), other.input());
                graph.add(Add, [x, y])
            }),
            "add: a node is of another graph than this",
        ),
        (
            "feeds a layer of a graph with nothing",
            panic(|| Graph::builder().add_named("head", Flatten, [])),
            "add_named: a layer needs a node that feeds it: \"head\" (Flatten)",
        ),
        (
            "names a layer like the input",
            panic(|| chain().add_named("input", Flatten)),
            "add_named: this is the name of an input of the network, not of a layer: \"input\"",
        ),
        (
            "adds pictures of two sizes",
            {
                let mut graph = Graph::builder();
                let x = graph.input();
                let edges = graph.add(Conv2D::new(1, [3, 3]), [x]);
                let sum = graph.add(Add, [x, edges]);
                error(Model::build(graph.output(sum), [28, 28, 1], 0))
            },
            "layer 1 (Add): merges inputs of one shape, found [28, 28, 1], [26, 26, 1]; make the shapes agree, or the \
             lengths that differ 1",
        ),
        (
            "adds up in a chain",
            unbuilt(chain().add(Add), &[3]),
            "layer 0 (Add): merges two inputs or more, found 1; feed it with several layers of a Graph",
        ),
        (
            "goes around a convolution that halves its input",
            unbuilt(
                chain().add(Residual::new(Conv2D::new(8, [3, 3]).strides([2, 2]).padding(Padding::Same))),
                &[28, 28, 8],
            ),
            "layer 0 (Residual): the body's output has shape [14, 14, 8], the input [28, 28, 8]; keep the shape in the \
             body by Padding::Same and as many filters as channels, or give a shortcut that changes it alike",
        ),
        (
            "predicts for a single sample without a batch axis",
            error(two_layers().predict(Tensor::<f32>::ones([3]))),
            "predict: the model takes inputs of shape [n, 3], found [3]; give a single sample a batch axis by \
             unsqueeze(0), and leave the batch axis out of the shape that the model is built for",
        ),
        (
            "predicts for samples of another shape",
            error(two_layers().predict(Tensor::<f32>::ones([10, 4]))),
            "predict: the model takes inputs of shape [n, 3], found [10, 4]; reshape the inputs, or build the model for \
             their shape",
        ),
        (
            "shows a network pictures of another size",
            {
                let network = chain().add(Conv2D::new(8, [3, 3])).add(Flatten).add(Dense::new(10));
                let model = Model::build(network, [28, 28, 1], 0).unwrap();
                error(model.predict(Tensor::<f32>::ones([5, 32, 32, 1])))
            },
            "predict: the model takes inputs of shape [n, 28, 28, 1], found [5, 32, 32, 1]; resize or crop the pictures, \
             or build the model for their size",
        ),
        (
            "freezes a layer that is not there",
            error(two_layers().freeze("2")),
            "freeze: there is no layer \"2\", only 0, 1; the summary lists the layers",
        ),
        (
            "reads a text that is no network",
            error(Sequential::from_json("{}")),
            "from_json: this is no network: missing field `inputs`; give a text that to_json has written",
        ),
        (
            "reads a network with a layer of an unknown kind",
            error(Sequential::from_json_with(
                r#"[{"name": "0", "layer": "Conv9D", "config": {}}]"#,
                &LayerKinds::standard(),
            ))
            .replace(&LayerKinds::standard().names().collect::<Vec<_>>().join(", "), "(all kinds)"),
            "from_json: layer 0: there is no kind of layer \"Conv9D\", only (all kinds); add your own kinds by \
             LayerKinds::with and read by from_json_with",
        ),
        (
            "reads a layer with a misspelt option",
            error(Sequential::from_json(r#"[{"name": "0", "layer": "Dropout", "config": {"share": 0.5}}]"#)),
            "from_json: layer 0 (Dropout): unknown field `share`, expected `rate`; compare it with what to_json writes",
        ),
    ]
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The message of an IDX file of these bytes.
fn unread(bytes: &[u8]) -> String {
    error(idx::read_from::<u8>(bytes, "images.idx"))
}

fn data_sets() -> Vec<Row> {
    let numbers = |n: usize| Tensor::<f32>::ones([n, 1]);
    let eight = || Dataset::new(numbers(8), numbers(8)).unwrap();
    let missing = temporary("no such folder/images.idx");
    let table = |text: &'static str| Csv::new(ByteSource::new(text.as_bytes(), "cars.csv").unwrap());
    let shown = |message: String| message.replace(&*missing.to_string_lossy(), "images.idx");
    vec![
        (
            "has more inputs than targets",
            error(Dataset::new(numbers(10), numbers(9))),
            "found inputs of shape [10, 1] with targets of shape [9, 1], expected first axes of the same length, an \
             entry for each sample; check how the two were read or sliced",
        ),
        (
            "has no samples",
            error(Dataset::new(numbers(0), numbers(0))),
            "found no sample, inputs of shape [0, 1], expected at least one sample; check how the data were read or \
             filtered",
        ),
        (
            "has fewer weights than samples",
            error(eight().with_weights(Tensor::ones([7]))),
            "found weights of shape [7], expected one for each sample, shape [8]; check how they were made",
        ),
        (
            "weighs a sample negatively",
            error(eight().with_weights(Tensor::new([1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]))),
            "found weight -1 of sample 1, expected a finite weight that is not negative; check how the weights were made",
        ),
        (
            "slices beyond the end",
            panic(|| eight().slice(4..12)),
            "slice: a range of samples that is not empty is needed: 4..12 of 8",
        ),
        (
            "walks in batches of 0",
            panic(|| eight().batches(0)),
            "batches: a batch has at least one sample: a size of 0",
        ),
        (
            "maps inputs to fewer samples",
            panic(|| eight().map_inputs(|x| x.reshape([4, 2]))),
            "map_inputs: the first axis must still count the samples: [8, 1] became [4, 2]",
        ),
        (
            "reads a file that is missing",
            shown(error(idx::read::<u8>(&missing))),
            "images.idx: found no such file, expected a file to read; check the path",
        ),
        (
            "reads a text as IDX",
            unread(b"hello, world"),
            "images.idx, byte 0: found the bytes 68 65, expected 00 00, as every IDX file begins; check that the path \
             names an IDX file",
        ),
        (
            "reads an empty file as IDX",
            unread(b""),
            "images.idx, byte 0: found the end after 0 bytes, expected the 4 bytes that begin an IDX file; the file is \
             cut off: get it again",
        ),
        (
            "reads a file that is cut off",
            unread(&[0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3]),
            "images.idx, byte 11: found the end after 3 bytes of elements, expected 4 bytes of elements, as the header \
             says: u8 [4]; the file is cut off or its header is wrong: get it again",
        ),
        (
            "reads a file with more than its header says",
            unread(&[0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3]),
            "images.idx, byte 10: found more bytes after the last element, expected 2 bytes of elements, as the header \
             says: u8 [2]; the file is damaged or its header is wrong: get it again",
        ),
        (
            "reads a file that claims more than memory holds",
            unread(&[[0_u8, 0, 8, 3].as_slice(), &[255; 12]].concat()),
            "images.idx, byte 4: found axis lengths [4294967295, 4294967295, 4294967295], expected no more elements than \
             memory can address; the header is damaged: get the file again",
        ),
        (
            "reads floats as bytes",
            unread(&[0, 0, 13, 1, 0, 0, 0, 0]),
            "images.idx, byte 2: found f32 elements (type 0x0d), expected u8 elements (type 0x08); read them as f32 and \
             convert with `to`",
        ),
        (
            "reads words as numbers",
            error(table("power,weight\n130,3504\nmany,3693\n").regression()),
            "cars.csv, line 3, column 1: found \"many\" in column \"power\", expected a number; correct the value, or \
             choose `inputs` and `target` without the column",
        ),
        (
            "leaves a field empty",
            error(table("power,weight\n,3504\n").regression()),
            "cars.csv, line 2, column 1: found nothing in column \"power\", expected a number; fill in the missing \
             value, or drop the row or the column",
        ),
        (
            "forgets that a table has no header",
            error(table("130,3504\n165,3693\n").regression()),
            "cars.csv, line 1, column 1: found the number \"130\" on the first line, above a column of numbers, expected the \
             name of the column; call `.header(false)` if the first line is a row, or `.header(true)` if it holds names",
        ),
        (
            "predicts a column that the table does not have",
            error(table("power,weight\n130,3504\n").target("mpg").regression()),
            "cars.csv: found column \"mpg\", expected one of the header's [\"power\", \"weight\"]; correct the name, or \
             check the delimiter",
        ),
        (
            "makes labels one-hot in too few classes",
            error(Dataset::new(numbers(2), Tensor::from([0_u8, 9])).unwrap().to_categorical(9)),
            "sample 1: found label 9, expected a whole number below 9, the number of classes; count classes from 0, or \
             ask for more of them",
        ),
        (
            "names a folder without MNIST",
            error(mnist::load_from(missing.parent().unwrap()))
                .replace(&*missing.parent().unwrap().to_string_lossy(), "data"),
            "data: found no such folder, expected the files of mnist, plain or packed: train-images-idx3-ubyte, \
             train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; name the folder that holds the \
             files, or mnist/ with them",
        ),
    ]
}

/// Classes of this shape of outputs, from four inputs.
fn classifier(units: usize) -> Model {
    Model::build(Sequential::new().add(Dense::new(units).activation(Activation::Sigmoid)), [4], 0).unwrap()
}

/// Eight samples of four inputs with targets of this shape.
fn samples(targets: Tensor) -> Dataset {
    Dataset::new(Tensor::ones([8, 4]), targets).unwrap()
}

fn quiet() -> Fit {
    Fit { verbose: false, ..Fit::default() }
}

/// The message of a run that trains so many units by this loss towards these targets.
fn unfit(units: usize, loss: impl Loss, targets: Tensor) -> String {
    untrained(Sequential::new().add(Dense::new(units).activation(Activation::Sigmoid)), loss, targets)
}

/// The message of a run that trains this network of four inputs by this loss towards these targets.
fn untrained(network: Sequential, loss: impl Loss, targets: Tensor) -> String {
    let model = Model::build(network, [4], 0).unwrap();
    error(Trainer::new(model, loss, Sgd::default()).fit(&samples(targets), quiet()))
}

fn losses_and_targets() -> Vec<Row> {
    let softmax = |units: usize| Sequential::new().add(Dense::new(units).activation(Activation::Softmax));
    let linear = |units: usize| Sequential::new().add(Dense::new(units));
    // The labels 0 and 2 of each sample.
    let two_of_three = || Tensor::new([[1.0, 0.0, 1.0]; 8]);
    vec![
        (
            "takes the softmax of a single unit by a layer of its own",
            untrained(linear(1).add(Softmax::new()), BinaryCrossentropy::default(), Tensor::ones([8, 1])),
            "binary_crossentropy: the network ends in Softmax of a single unit, which is always 1; use Activation::Sigmoid for a yes or \
             no",
        ),
        (
            "gives several labels at once to a softmax",
            untrained(softmax(3), BinaryCrossentropy::default(), two_of_three()),
            "binary_crossentropy: outputs of Softmax sum to 1, the targets have several labels at once: a sum of 2 in row 0 of [8, 3]; \
             end the network in Activation::Sigmoid",
        ),
        (
            "gives several labels at once to a softmax, focused",
            untrained(softmax(3), BinaryFocalCrossentropy::default(), two_of_three()),
            "binary_focal_crossentropy: outputs of Softmax sum to 1, the targets have several labels at once: a sum of 2 in row 0 of \
             [8, 3]; end the network in Activation::Sigmoid",
        ),
        (
            "gives several labels at once to the loss for one of several classes",
            untrained(softmax(3), CategoricalCrossentropy::default(), two_of_three()),
            "categorical_crossentropy: targets must have one class in each row, found a sum of 2 in row 0 of [8, 3]; for several labels \
             at once use BinaryCrossentropy behind Activation::Sigmoid; divide counts and weights by the sum of their row",
        ),
        (
            "forgets the softmax",
            untrained(linear(3), SparseCategoricalCrossentropy::default(), Tensor::zeros([8])),
            "fit: sparse_categorical_crossentropy: takes probabilities of classes, the network ends in a layer without an activation; \
             end the network in Activation::Softmax, or set from_logits(true)",
        ),
        (
            "takes the softmax twice",
            untrained(softmax(3), SparseCategoricalCrossentropy::default().from_logits(true), Tensor::zeros([8])),
            "fit: sparse_categorical_crossentropy: takes logits, the numbers before a softmax, as it is set to from_logits(true), the \
             network ends in the activation Softmax; leave the activation out, or set from_logits(false)",
        ),
        (
            "forgets the sigmoid",
            untrained(linear(1), BinaryCrossentropy::default(), Tensor::zeros([8, 1])),
            "fit: binary_crossentropy: takes probabilities, the network ends in a layer without an activation; end the network in \
             Activation::Sigmoid, or set from_logits(true)",
        ),
        (
            "gives class indices to the loss for a yes or no of each unit",
            unfit(3, BinaryCrossentropy::default(), Tensor::zeros([8])),
            "binary_crossentropy: targets [8] and outputs [8, 3] must have the same shape; give a 0 or 1 for each unit; for class \
             indices use SparseCategoricalCrossentropy behind a softmax",
        ),
        (
            "numbers three classes for a single unit",
            unfit(
                1,
                BinaryCrossentropy::default(),
                Tensor::from_iter((0..8).map(|i| (i % 3 + 1) as f32)).unsqueeze(-1),
            ),
            "fit: sample 1: binary_crossentropy: targets must be in 0 to 1, found 2 at element 0 of [1, 1]; give 0 for no and 1 for yes; for several \
             classes use SparseCategoricalCrossentropy and a unit with softmax for each",
        ),
        (
            "trains a single unit by the loss for class indices",
            unfit(1, SparseCategoricalCrossentropy::default(), Tensor::ones([8, 1])),
            "sparse_categorical_crossentropy: outputs must have an axis of two classes or more, found [8, 1]; for a single yes or no \
             use BinaryCrossentropy",
        ),
        (
            "counts without a rate",
            untrained(linear(1).add(Rescaling::new(0.0).offset(-1.0)), Poisson, Tensor::ones([8, 1])),
            "poisson: outputs must be rates, not below 0, found -1 at element 0 of [8, 1]; end the network in Activation::Exponential \
             or Activation::Softplus",
        ),
        (
            "forgets the Flatten before the last layer",
            {
                let network = Sequential::new().add(Dense::new(10).activation(Activation::Softmax));
                let model = Model::build(network, [28, 28], 0).unwrap();
                let pictures: Dataset = Dataset::new(Tensor::ones([8, 28, 28]), Tensor::zeros([8])).unwrap();
                error(
                    Trainer::new(model, SparseCategoricalCrossentropy::default(), Sgd::default())
                        .fit(&pictures, quiet()),
                )
            },
            "sparse_categorical_crossentropy: targets must have the shape [8, 28] or [8, 28, 1] for outputs [8, 28, 10], found [8]; put \
             a Flatten or a GlobalAveragePooling before the last dense layer, so that a sample has one vector of outputs",
        ),
        (
            "marks places by 255",
            unfit(3, Dice, Tensor::full([8, 3], 255.0)),
            "dice: targets must be in 0 to 1, found 255 at element 0 of [8, 3]; divide masks of 0 and 255 by 255, and make classes \
             one-hot",
        ),
        (
            "gives class indices to the loss for one-hot targets",
            unfit(10, CategoricalCrossentropy::default(), Tensor::zeros([8])),
            "categorical_crossentropy: targets [8] and outputs [8, 10] must have the same shape; make the targets \
             one-hot by to_categorical, or use SparseCategoricalCrossentropy for class indices",
        ),
        (
            "gives one-hot targets to the loss for class indices",
            unfit(10, SparseCategoricalCrossentropy::default(), Tensor::zeros([8, 10])),
            "sparse_categorical_crossentropy: targets must have the shape [8] or [8, 1] for outputs [8, 10], found \
             [8, 10]; use CategoricalCrossentropy for one-hot targets",
        ),
        (
            "numbers the classes from 1",
            unfit(3, SparseCategoricalCrossentropy::default(), Tensor::full([8], 3.0)),
            "sparse_categorical_crossentropy: targets must be class indices from 0 to 2, found 3 at element 0 of [8]; \
             number the classes from 0, or give the last layer more units",
        ),
        (
            "has more classes than units",
            unfit(9, CategoricalCrossentropy::default(), Tensor::zeros([8, 10])),
            "categorical_crossentropy: targets [8, 10] and outputs [8, 9] must have the same shape; make the targets \
             one-hot by to_categorical, or use SparseCategoricalCrossentropy for class indices",
        ),
        (
            "trains a single unit by the loss for many classes",
            unfit(1, CategoricalCrossentropy::default(), Tensor::zeros([8, 1])),
            "categorical_crossentropy: outputs must have an axis of two classes or more, found [8, 1]; for a single yes \
             or no use BinaryCrossentropy",
        ),
        (
            "gives a row of targets for a column of outputs",
            unfit(1, MeanSquaredError, Tensor::zeros([8])),
            "mean_squared_error: targets [8] and outputs [8, 1] must have the same shape; give the targets the shape [8, 1] by \
             unsqueeze(-1); losses do not broadcast",
        ),
        (
            "labels yes and no by 1 and 2",
            unfit(1, BinaryCrossentropy::default(), Tensor::full([8, 1], 2.0)),
            "binary_crossentropy: targets must be in 0 to 1, found 2 at element 0 of [8, 1]; give 0 for no and 1 for yes; for several \
             classes use SparseCategoricalCrossentropy and a unit with softmax for each",
        ),
        (
            "smooths labels by per cent",
            panic(|| CategoricalCrossentropy::default().label_smoothing(10.0)),
            "label_smoothing: the smoothing must be in 0 to 1, found 10",
        ),
    ]
}

fn runs() -> Vec<Row> {
    let trainer =
        || Trainer::new(classifier(1), MeanSquaredError, Sgd::default()).metric(metrics::MeanAbsoluteError::default());
    let data = samples(Tensor::zeros([8, 1]));
    let others: Dataset = Dataset::new(Tensor::ones([8, 2, 2]), Tensor::zeros([8, 1])).unwrap();
    let refused = |fit: Fit| error(trainer().fit(&data, fit));
    let weighed = |units: usize, target: f32, weights: &[f64]| {
        let mut trainer = Trainer::new(classifier(units), MeanSquaredError, Sgd::default());
        let fit = Fit { class_weights: Some(weights.to_vec()), ..quiet() };
        error(trainer.fit(&samples(Tensor::full([8, 1], target)), fit))
    };
    let file = temporary("logs");
    std::fs::write(&file, "").unwrap();
    vec![
        (
            "trains on samples of another shape",
            error(trainer().fit(&others, quiet())),
            "fit: the model takes inputs of shape [n, 4], found [8, 2, 2]; reshape the inputs, or build the model for their \
             shape",
        ),
        (
            "evaluates on samples of another shape",
            error(trainer().evaluate(&others)),
            "evaluate: the model takes inputs of shape [n, 4], found [8, 2, 2]; reshape the inputs, or build the model for their \
             shape",
        ),
        (
            "validates on samples of another shape",
            error(trainer().fit_validated(&data, &others, quiet())),
            "fit_validated: the training set has samples of shape [4] with targets [1], the validation set [2, 2] with \
             [1]; prepare both in the same way",
        ),
        (
            "validates twice",
            error(trainer().fit_validated(&data, &data, Fit { validation_split: 0.2, ..quiet() })),
            "fit_validated: a validation set is given, and a validation_split of 0.2; leave one of them out",
        ),
        (
            "validates on everything",
            refused(Fit { validation_split: 1.0, ..quiet() }),
            "found a validation split of 1 of 8 samples, expected a fraction between 0 and 1 that leaves samples on both \
             sides; choose another fraction or give a validation set",
        ),
        (
            "splits off per cent",
            refused(Fit { validation_split: 20.0, ..quiet() }),
            "found a validation split of 20 of 8 samples, expected a fraction between 0 and 1 that leaves samples on \
             both sides; choose another fraction or give a validation set",
        ),
        (
            "trains in batches of 0",
            refused(Fit { batch_size: 0, ..quiet() }),
            "fit: the batch_size is 0, it must be at least 1; 32 is a good start",
        ),
        (
            "trains on data that are not numbers",
            error(trainer().fit(&samples(Tensor::full([8, 1], f32::NAN)), Fit { shuffle: false, ..quiet() })),
            "fit: the loss became NaN in epoch 1, batch 1: sample 0 has NaN among its targets; mend the sample or leave it \
             out; the callback TerminateOnNaN ends the run without an error",
        ),
        (
            "trains towards numbers that are too large",
            {
                let zeros = Dense::new(1).kernel_initializer(Initializer::Zeros);
                let model = Model::build(Sequential::new().add(zeros), [4], 0).unwrap();
                let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
                error(trainer.fit(&samples(Tensor::full([8, 1], 1e30)), quiet()))
            },
            "fit: the loss became inf in epoch 1, batch 1, for outputs up to 0.0 and targets up to 1e30; scale inputs and \
             targets, as Dataset::normalize does; the callback TerminateOnNaN ends the run without an error",
        ),
        (
            "takes the optimiser of one model for another",
            {
                let mut optimizer = Optimizer::from(Sgd::default());
                let mut step = |units| {
                    let (x, y) = (Tensor::<f32>::ones([8, 4]), Tensor::<f32>::ones([8, units]));
                    let mut generator = Generator::new(0);
                    let loss = MeanSquaredError;
                    train_step(&mut classifier(units), &loss, &mut optimizer, x, y, None, &mut generator)
                };
                step(1).unwrap();
                error(step(2))
            },
            "the optimiser: \"0/kernel\" has another shape than in the steps before: [4, 1] and [4, 2]; make an optimiser for \
             each model",
        ),
        (
            "learns at a negative rate",
            panic(|| Sgd::default().learning_rate::<f32>(-0.1)),
            "learning_rate: a number that is not negative is needed, not -0.1",
        ),
        (
            "remembers more than all",
            panic(|| Sgd::default().momentum(1.0)),
            "Sgd: momentum: a number from 0 to below 1 is needed, not 1",
        ),
        (
            "clips to nothing",
            panic(|| Adam::default().clip_norm::<f32>(0.0)),
            "clip_norm: a number greater than 0 is needed, not 0",
        ),
        (
            "watches a metric that is not measured",
            refused(quiet().callback(EarlyStopping::new("accuracy"))),
            "EarlyStopping: nothing named \"accuracy\" is measured, only loss, mean_absolute_error; add the metric to \
             the trainer, or watch another",
        ),
        (
            "abbreviates a metric",
            error(trainer().fit_validated(&data, &data, quiet().callback(EarlyStopping::new("val_mae")))),
            "EarlyStopping: nothing named \"val_mae\" is measured, only loss, mean_absolute_error, val_loss, \
             val_mean_absolute_error; watch \"val_mean_absolute_error\", or add the metric to the trainer",
        ),
        (
            "measures the same thing twice",
            error(trainer().metric(metrics::MeanAbsoluteError::default()).fit(&data, quiet())),
            "fit: both metric 1 (MeanAbsoluteError) and metric 2 (MeanAbsoluteError) are named \"mean_absolute_error\"; give \
             it another name, by metrics::Named::new",
        ),
        (
            "measures yes and no labelled by 1 and 2",
            error(trainer().metric(BinaryAccuracy::default()).evaluate(&samples(Tensor::full([8, 1], 2.0)))),
            "binary_accuracy: targets must be in 0 to 1, found 2 at element 0 of [8, 1]; give 0 for no and 1 for yes",
        ),
        (
            "watches a validation that there is not",
            refused(quiet().callback(ReduceLrOnPlateau::new("val_loss"))),
            "ReduceLrOnPlateau: nothing named \"val_loss\" is measured, only loss, mean_absolute_error; fit with a \
             validation_split or a validation set, or watch \"loss\"",
        ),
        (
            "raises the rate on a plateau",
            panic(|| ReduceLrOnPlateau::new("loss").factor(10.0)),
            "ReduceLrOnPlateau: the factor must be between 0 and 1, found 10",
        ),
        (
            "logs into a folder that is a file",
            refused(quiet().callback(CsvLogger::new(file.join("log.csv")))).replace(&*file.to_string_lossy(), "logs"),
            "logs: File exists (os error 17); there is a file where a folder is needed: give another path",
        ),
        (
            "weighs fewer classes than there are",
            weighed(3, 2.0, &[1.0, 5.0]),
            "fit: there are 2 class_weights, the output of shape [3] has 3 classes; give one weight for each class, or leave \
             class_weights out where targets are no classes",
        ),
        (
            "weighs classes in a regression",
            weighed(1, 2.5, &[1.0, 5.0]),
            "class_weights: targets must be classes from 0 to 1, found 2.5 at sample 0; number the classes from 0 and give \
             one weight for each, or leave class_weights out where targets are no classes",
        ),
        (
            "weighs a class negatively",
            weighed(1, 1.0, &[1.0, -1.0]),
            "class_weights: found weight -1 of class 1, expected a finite weight that is not negative; check how the weights \
             were made",
        ),
        (
            "measures classes by a metric for others",
            error(trainer().metric(CategoricalAccuracy::default()).fit(&samples(Tensor::zeros([8, 1])), quiet())),
            "categorical_accuracy: outputs must have the shape [n, classes] of two classes or more, found [8, 1]; for a \
             single yes or no use BinaryAccuracy",
        ),
        (
            "asks for a score by another name",
            panic(|| trainer().evaluate(&data).unwrap()["mae"]),
            "logs: nothing named \"mae\" was measured, only loss, mean_absolute_error",
        ),
        ("counts the best none", panic(|| TopKAccuracy::new(0)), "top_k_accuracy: k must be at least 1, found 0"),
    ]
}

/// All rows, made once: a program has one hook for panics.
static TABLE: LazyLock<Vec<Row>> =
    LazyLock::new(|| [tensors(), networks(), data_sets(), losses_and_targets(), runs()].concat());

#[test]
fn each_mistake_has_its_message() {
    assert!(TABLE.len() >= 40);
    let wrong = TABLE.iter().filter(|(_, found, expected)| found != expected);
    let report: Vec<String> = wrong
        .map(|(mistake, found, expected)| format!("A newcomer {mistake}.\n   found: {found}\nexpected: {expected}\n"))
        .collect();
    assert!(report.is_empty(), "messages are not what they should be:\n\n{}", report.join("\n"));
}

/// The messages that the book shows, in its blocks of text.
fn messages_of_the_book() -> Vec<String> {
    let chapters = [include_str!("../book/src/losses.md"), include_str!("../book/src/errors.md")];
    let blocks = chapters.iter().flat_map(|chapter| chapter.split("```text\n").skip(1));
    let messages = blocks.filter_map(|block| block.split_once("\n```")).map(|(message, _)| message);
    messages.map(|message| message.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_book_shows_the_messages_of_this_table() {
    let messages = messages_of_the_book();
    assert!(messages.len() >= 15, "only {} messages found in the book", messages.len());
    for message in messages {
        assert!(TABLE.iter().any(|(_, found, _)| *found == message), "no mistake has this message:\n{message}");
    }
}
