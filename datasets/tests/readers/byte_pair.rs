//! Byte pairs, held against Hugging Face's; `reference/byte_pair.py` has written them.

use std::io::Read;

use gradus_datasets::{BytePair, ByteSource};
use serde::Deserialize;

use crate::damage::damaged;

#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    repeated: Vec<String>,
    made_up: Vec<Trained>,
    plays: Trained,
}

#[derive(Deserialize)]
struct Trained {
    size: usize,
    special: Vec<String>,
    least: u64,
    merges: Vec<String>,
    encoded: Vec<Vec<i64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/byte_pair.json")).unwrap()
}

fn check(corpus: &[String], texts: &[String], expected: &Trained) -> BytePair {
    let tokens = BytePair::new().special_tokens(&expected.special).min_frequency(expected.least);
    let tokens = tokens.train(corpus, expected.size).unwrap();
    let written = serde_json::to_value(&tokens).unwrap();
    let merges: Vec<String> = serde_json::from_value(written["merges"].clone()).unwrap();
    assert_eq!(merges, expected.merges);
    for (text, ids) in texts.iter().zip(&expected.encoded) {
        assert_eq!(tokens.encode(text), *ids, "{text:?}");
        assert_eq!(tokens.decode(ids).unwrap(), *text);
    }
    tokens
}

#[test]
fn pairs_and_ids_are_those_of_hugging_face() {
    let Reference { texts, repeated, made_up, plays } = reference();
    for expected in &made_up {
        check(&repeated, &texts, expected);
    }
    let mut text = String::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/shakespeare/eight_plays.txt.gz");
    ByteSource::open(path).unwrap().read_to_string(&mut text).unwrap();
    let tokens = check(&[text], &texts, &plays);
    assert_eq!(tokens.vocabulary_size(), 1500);
    assert_eq!(tokens.special_id("[END]"), Some(2));

    let folder = std::env::temp_dir().join(format!("gradus-byte-pair-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tokens.txt");
    tokens.save(&path).unwrap();
    assert_eq!(BytePair::load(&path).unwrap(), tokens);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.starts_with("gradus byte pairs 1\nspecial [PAD]\nspecial [START]\nspecial [END]\nmerge Ġ t\n"));
    assert_eq!(serde_json::from_str::<BytePair>(&serde_json::to_string(&tokens).unwrap()).unwrap(), tokens);

    // A list as GPT-2's.
    let list: Vec<&str> = written.lines().filter_map(|line| line.strip_prefix("merge ")).collect();
    std::fs::write(&path, format!("#version: 0.2\n{}\n", list.join("\n"))).unwrap();
    let read = BytePair::load(&path).unwrap();
    assert_eq!(
        read.encode("To be, or not"),
        tokens.encode("To be, or not").iter().map(|id| id - 3).collect::<Vec<_>>()
    );

    let error = |text: &str| {
        std::fs::write(&path, text).unwrap();
        BytePair::load(&path).unwrap_err().to_string().replace(&path.display().to_string(), "tokens.txt")
    };
    assert_eq!(
        error("merges\n"),
        "tokens.txt, line 1, column 1: found the first line \"merges\", expected \"gradus byte pairs 1\"; name a file that \
         `BytePair::save` has written"
    );
    assert_eq!(
        error("gradus byte pairs 1\r\nspecial [PAD]\r\nmerge a b\r\nmerge ab cd\r\n"),
        "tokens.txt, line 4, column 1: found the merge \"ab cd\", expected two tokens that are bytes or come before, with a \
         space between them; the file is damaged or no list of byte pairs"
    );
    assert!(error("gradus byte pairs 1\nmerge a b\nspecial [PAD]").contains("line 3, column 1: found the line"));
    assert!(error("gradus byte pairs 1\nspecial a\nspecial a").contains("found the special token \"a\""));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn without_training_each_byte_has_an_id() {
    let bytes = BytePair::new();
    assert_eq!(bytes.vocabulary_size(), 256);
    let text = "é\0 \u{7f}";
    let ids = bytes.encode(text);
    assert_eq!((ids.len(), bytes.decode(&ids).unwrap()), (5, text.to_owned()));
    // Half a character.
    assert_eq!(bytes.decode(&ids[..1]).unwrap(), "\u{fffd}");
    assert_eq!(bytes.decode_bytes(&ids[..1]).unwrap(), [0xc3]);
    assert_eq!(
        bytes.decode(&[7, 256]).unwrap_err().to_string(),
        "sample 1: found the id 256, expected an id from 0 to 255; decode by the vocabulary that the ids were made by"
    );
    assert!(bytes.decode(&[-1]).is_err());
    let error = bytes.special_tokens(["[PAD]"]).train(["a"], 256).unwrap_err();
    assert_eq!(error.expected(), "at least 257: special tokens and bytes");
}

#[test]
fn a_long_word_takes_no_longer_than_many_short_ones() {
    let tokens = BytePair::new().train([&"ab".repeat(1000)], 262).unwrap();
    let long = "ab".repeat(200_000);
    let ids = tokens.encode(&long);
    assert_eq!(tokens.decode(&ids).unwrap(), long);
    assert!(ids.len() < 20_000, "{}", ids.len());
}

#[test]
#[should_panic(expected = "special_tokens: found the special token \"a\"")]
fn special_tokens_are_different() {
    BytePair::new().special_tokens(["a", "a"]);
}

#[test]
fn no_damage_does_more_than_fail() {
    const TEXT: &str = "to be or not to be, é\n";
    let folder = std::env::temp_dir().join(format!("gradus-damaged-pairs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("tokens.txt");
    let tokens = BytePair::new().special_tokens(["[PAD]"]).train([TEXT], 264).unwrap();
    tokens.save(&path).unwrap();
    let check = |read: BytePair| {
        let ids = read.encode(TEXT);
        assert_eq!(read.decode(&ids).unwrap(), TEXT);
        assert!(ids.iter().all(|id| (0..read.vocabulary_size() as i64).contains(id)));
    };
    for bytes in damaged(&std::fs::read(&path).unwrap()) {
        // A file that is written over is flushed to the disk.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        BytePair::load(&path).into_iter().for_each(check);
    }
    std::fs::remove_dir_all(folder).unwrap();
    for bytes in damaged(&serde_json::to_vec(&tokens).unwrap()) {
        serde_json::from_slice(&bytes).into_iter().for_each(check);
    }
}
