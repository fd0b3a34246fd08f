//! The book: every chapter is in its summary and has its code run, and every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files that the summary lists.
fn summary() -> BTreeSet<String> {
    let summary = read(folder().join("SUMMARY.md"));
    links(&summary).into_iter().map(str::to_owned).collect()
}

/// Where the links of a text lead.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The lines of a text that are no code.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    outside.collect::<Vec<_>>().concat()
}

/// The anchor that a heading has in the built book: in lower case, with dashes for spaces, without other signs.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_chapter_is_in_the_summary_and_run() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(summary(), files, "left: the chapters of SUMMARY.md, right: the files in book/src");

    let library = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let (_, list) = library.split_once("chapters! {").expect("the list of chapters in src/lib.rs");
    let run: BTreeSet<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(run, files, "left: the chapters in src/lib.rs, whose code is run; right: the files in book/src");
}

#[test]
fn every_link_leads_to_a_chapter_and_a_heading() {
    for chapter in summary() {
        let text = prose(&read(folder().join(&chapter)));
        for link in links(&text).into_iter().filter(|link| !link.starts_with("https://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { &chapter } else { file };
            let target = prose(&read(folder().join(file)));
            let headings =
                target.lines().filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()));
            let found = heading.is_empty() || headings.map(anchor).any(|anchor| anchor == heading);
            assert!(found, "{chapter}: {link} leads to no heading");
        }
    }
}

#[test]
fn code_is_run_and_lines_are_short() {
    for chapter in summary() {
        let text = read(folder().join(&chapter));
        let mut is_code = false;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{chapter}, line {}", number + 1);
            if let Some(language) = line.strip_prefix("```") {
                is_code = !is_code;
                // What is marked otherwise would be compiled as Rust, or left out without a word.
                let known = ["", "rust", "rust,compile_fail", "console", "toml", "python", "text", "compiler"]
                    .contains(&language);
                assert!(known && is_code != language.is_empty(), "{place}: {line} is no block that this test knows");
            }
            // Tables cannot be wrapped.
            let is_long = line.chars().count() > 140 && !line.starts_with('|') && !line.starts_with('#');
            assert!(!is_long, "{place}: wrap this line");
            // rustdoc takes an indented block for code.
            assert!(is_code || !line.starts_with("    "), "{place}: mark the block by ```console or the like");
        }
    }
}
