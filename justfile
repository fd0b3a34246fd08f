# The commands of daily work. `just` lists them.

_list:
    @just --list

# Everything that a change must pass, as the server runs it.
check:
    .ci/run

# All tests.
test:
    cargo test --workspace

# All code in its format.
format:
    cargo fmt --all
    rustfmt --edition 2024 $(find nn/src/layers -name '*.rs')

# The format and the lints.
lint:
    cargo fmt --all --check
    rustfmt --check --edition 2024 $(find nn/src/layers -name '*.rs')
    cargo clippy --workspace --all-targets -- -D warnings

# The documentation, as the server builds it.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The book, as pages in target/book; `cargo install mdbook --locked` brings what builds it.
book:
    mdbook build book

# The benchmarks of one crate, e.g. `just bench train`.
bench crate:
    cargo bench -p gradus-{{ crate }}

# Trains MNIST to the end.
mnist:
    cargo run --release --example mnist
