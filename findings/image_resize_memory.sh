#!/usr/bin/env bash
# The crate image 0.25.10: `imageops::resize` holds a picture of (old width x new height) pixels on the way.
#
# Expected: memory for the result, and for a row or two.
# Seen: four f32 for each pixel of (old width x new height). A strip of 1000 x 1 pixels that becomes one of 1 x 1000, 3 kB
# each, takes 16 MB on the way. So a program that resizes pictures of unknown shape must bound that product, too.
#
# Needs cargo. Ends with 101 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "resize-memory"
version = "0.0.0"
edition = "2024"

[dependencies]
image = { version = "=0.25.10", default-features = false }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use image::imageops::{FilterType, resize};

/// Counts what is allocated, and the most that there was at a time.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    let strip = image::RgbImage::new(1000, 1);
    let before = NOW.load(SeqCst);
    MOST.store(before, SeqCst);
    let turned = resize(&strip, 1, 1000, FilterType::Triangle);
    let most = MOST.load(SeqCst) - before;
    println!("{} bytes became {}, with {most} bytes at most on the way", strip.as_raw().len(), turned.as_raw().len());
    assert!((16_000_000..17_000_000).contains(&most), "this has changed");
}
RUST
(cd "$folder" && cargo run --quiet --release)
