//! Vocabularies out of a model's file or one of their own: they are refused, or ids lie within them, and they come back from what
//! is written of them.
#![no_main]

use gradus_datasets::{BytePair, TextVectorization};
use gradus_fuzz::FuzzFile;

const TEXTS: [&str; 4] = ["", "To be, or not to BE\t\n", "a b a b é ñ \u{200d}", "[UNK] aaaa \0"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [how, bytes @ ..] = bytes else { return };
    if how % 3 == 0 {
        let Ok(read) = serde_json::from_slice::<TextVectorization>(bytes) else { return };
        let size = read.vocabulary_size() as i64;
        if let Ok(ids) = read.ids(TEXTS) {
            assert!(ids.iter().all(|id| (0..size).contains(&id)));
        }
        let _ = read.vectors(TEXTS);
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(
            serde_json::to_string(&serde_json::from_str::<TextVectorization>(&written).unwrap()).unwrap(),
            written
        );
        return;
    }
    let file = FuzzFile::new("vocabulary", bytes);
    let read = if how % 3 == 1 { serde_json::from_slice(bytes).ok() } else { BytePair::load(file.path()).ok() };
    let Some(read): Option<BytePair> = read else { return };
    for text in TEXTS {
        let ids = read.encode(text);
        assert!(ids.iter().all(|id| (0..read.vocabulary_size() as i64).contains(id)));
        assert_eq!(read.decode(&ids).unwrap(), text);
    }
    read.save(file.path()).unwrap();
    assert_eq!(BytePair::load(file.path()).unwrap(), read);
});
