//! Readers of sequences and of protein structures.

use std::io::{Read, Write};

use gradus_datasets::biology::{Chain, Fasta, FastaRecord, Fastq, FastqRecord, read_mmcif, read_pdb};
use gradus_datasets::{ByteSource, Result};

use crate::damage::{damaged, shuffled};

fn fasta(text: &str) -> Vec<Result<FastaRecord>> {
    Fasta::new(ByteSource::new(text.as_bytes(), "genome.fa").unwrap()).collect()
}

fn fastq(text: &str) -> Vec<Result<FastqRecord>> {
    Fastq::new(ByteSource::new(text.as_bytes(), "reads.fq").unwrap()).collect()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The message of the last item, which is the only error.
fn error<T>(mut items: Vec<Result<T>>) -> String {
    let last = items.pop().unwrap().err().unwrap();
    assert!(items.iter().all(Result::is_ok));
    last.to_string()
}

#[test]
fn fasta_is_read_record_by_record() {
    let text = "\n>a  first one \r\nACGT\r\n\r\nnn-\r\n>b\tsecond\nMK*\n>c\nA";
    let record = |id: &str, description: &str, sequence: &str| {
        let [id, description, sequence] = [id, description, sequence].map(str::to_owned);
        FastaRecord { id, description, sequence }
    };
    let expected = [record("a", "first one", "ACGTnn-"), record("b", "second", "MK*"), record("c", "", "A")];
    let read = |records: Vec<Result<FastaRecord>>| records.into_iter().collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(read(fasta(text)), expected);
    // Several members, and zeros behind them, as bgzip and tar leave them.
    let (first, second) = text.split_at(19);
    let packed = [gzipped(first.as_bytes()), gzipped(b""), gzipped(second.as_bytes()), vec![0; 700]].concat();
    let source = ByteSource::new(&packed[..], "genome.fa.gz").unwrap();
    assert_eq!(read(Fasta::new(source).collect()), expected);
}

#[test]
fn damaged_fasta_is_refused_with_its_line() {
    assert_eq!(
        error(fasta(">a\nACGT\nAC1T\n>b\nA\n")),
        "genome.fa, line 3, column 3: found '1', expected letters of a sequence: A to Z, `*`, `-` or `.`; the file is damaged: \
         get it again"
    );
    assert!(error(fasta(">a\nAC GT\n")).starts_with("genome.fa, line 2, column 3: found ' '"));
    assert!(error(fasta(">a\nACé\n")).starts_with("genome.fa, line 2, column 3: found 'é'"));
    assert!(
        error(fasta("ACGT\n"))
            .starts_with("genome.fa, line 1, column 1: found the line \"ACGT\", expected `>` and a name")
    );
    assert!(error(fasta("")).starts_with("genome.fa, line 0, column 1: found the end"));
    assert!(
        error(fasta(">a\nAC\n>b\n>c\nA")).starts_with("genome.fa, line 3, column 1: found a record without a sequence")
    );
    assert!(error(fasta(">\nAC\n")).starts_with("genome.fa, line 1, column 1: found a record without a name"));
    let packed = gzipped(b">a\nACGT\n");
    let source = ByteSource::new(&packed[..packed.len() - 3], "genome.fa.gz").unwrap();
    assert!(error(Fasta::new(source).collect()).contains("the file is cut off"));
    let source = ByteSource::new(&b">a\nAC\xff\n"[..], "genome.fa").unwrap();
    assert!(
        error(Fasta::new(source).collect()).starts_with("genome.fa, line 2, column 3: found bytes that are no UTF-8")
    );
}

#[test]
fn fastq_is_read_record_by_record() {
    let text = "@r1 x y\r\nACGTN\r\n+r1 x y\r\n!\"#I~\r\n@r2\n\n+\n\n@r3\nA\n+\n@\n\n\n";
    let records = fastq(text).into_iter().collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(records[0].quality, [0, 1, 2, 40, 93]);
    assert_eq!((&*records[0].id, &*records[0].description, &*records[0].sequence), ("r1", "x y", "ACGTN"));
    assert_eq!((&*records[1].sequence, &records[1].quality), ("", &vec![]));
    assert_eq!((records.len(), &records[2].quality), (3, &vec![31]));
}

#[test]
fn damaged_fastq_is_refused_with_its_line() {
    let begins = |text: &str, expected: &str| {
        let message = error(fastq(text));
        assert!(message.starts_with(expected), "{message}");
    };
    begins(
        "@a\nACGT\n+\nIII\n",
        "reads.fq, line 4, column 1: found 3 qualities of 4 bases, expected one for each base",
    );
    begins("@a\nACGT\n+\nIIIII\n", "reads.fq, line 4, column 1: found 5 qualities of 4 bases");
    begins("@a\nACGT\n+\nII I\n", "reads.fq, line 4, column 3: found ' ', expected a quality");
    begins("@a\nAC\nGT\n+\nIIII\n", "reads.fq, line 3, column 1: found the line \"GT\", expected `+`");
    begins("@a\nA\n+\nI\n@b\nAC\n", "reads.fq, line 6, column 1: found the end within a record, expected `+`");
    begins("@a\nA\n+b\nI\n", "reads.fq, line 3, column 1: found the name \"b\", expected no name, or \"a\" again");
    begins("@a\nA\n+\nI\n\n@b\nA\n+\nI\n", "reads.fq, line 6, column 1: found a record behind an empty line");
    begins(">a\nA\n", "reads.fq, line 1, column 1: found the line \">a\", expected `@` and a name");
    begins("@a\nA1\n+\nII\n", "reads.fq, line 2, column 2: found '1'");
    begins("@\nA\n+\nI\n", "reads.fq, line 1, column 1: found a record without a name");
    begins("", "reads.fq, line 0, column 1: found an empty file");
}

#[test]
fn structures_are_those_of_biopython() {
    let mut files = std::collections::BTreeMap::<&str, Vec<Chain>>::new();
    for line in include_str!("../reference/structures.txt").lines() {
        let [file, id, sequence, q3] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [id, sequence, q3] = [id, sequence, q3].map(str::to_owned);
        files.entry(file).or_default().push(Chain { id, sequence, q3 });
    }
    assert_eq!(files.len(), 4);
    for (file, expected) in files {
        let path = format!("{}/tests/reference/structures/{file}", env!("CARGO_MANIFEST_DIR"));
        let source = ByteSource::open(path).unwrap();
        let found = if file.ends_with(".pdb.gz") { read_pdb(source) } else { read_mmcif(source) };
        assert_eq!(found.unwrap(), expected, "{file}");
    }
}

#[test]
fn no_damage_does_more_than_fail() {
    let pdb_text = [
        "HELIX    1   1 ALA A    1  GLY A    2  1                                   3\n".to_owned(),
        "SHEET    1   A 2 GLY A   1  SER A   2  0\n".to_owned(),
        atom("ATOM", " CA ", "ALA", 'A', "   1 "),
        atom("HETATM", " CA ", "MSE", 'A', "   2 "),
        "TER\nENDMDL\n".to_owned(),
    ];
    for bytes in damaged(pdb_text.concat().as_bytes()) {
        let _ = read_pdb(ByteSource::new(&bytes[..], "x").unwrap());
    }
    let cif = "data_x\nloop_\n_atom_site.label_atom_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n\
               _atom_site.label_comp_id\nCA 'A' 1 ALA\n\"CA\" A 2\n;GLY\n;\n_struct_conf.conf_type_id HELX_P # x\n";
    for bytes in damaged(cif.as_bytes()) {
        let _ = read_mmcif(ByteSource::new(&bytes[..], "x").unwrap());
    }
    // A reader ends at its first error.
    for bytes in damaged(b">a b\nACGT\n\n>c\nT\n") {
        let records: Vec<_> = Fasta::new(ByteSource::new(&bytes[..], "x").unwrap()).collect();
        assert!(records.iter().rev().skip(1).all(Result::is_ok));
    }
    for bytes in damaged(b"@a b\nACGT\n+\nIIII\n@c\nT\n+c\nI\n") {
        let records: Vec<_> = Fastq::new(ByteSource::new(&bytes[..], "x").unwrap()).collect();
        assert!(records.iter().rev().skip(1).all(Result::is_ok));
    }
}

#[test]
fn damaged_files_of_the_data_bank_do_no_more_than_fail() {
    for file in ["1a8o.pdb.gz", "1a8o.cif.gz"] {
        let path = format!("{}/tests/reference/structures/{file}", env!("CARGO_MANIFEST_DIR"));
        let mut text = Vec::new();
        ByteSource::open(path).unwrap().read_to_end(&mut text).unwrap();
        for seed in 0..30 {
            let bytes = shuffled(&text, seed);
            let source = ByteSource::new(&bytes[..], file).unwrap();
            let chains = if file.contains("pdb") { read_pdb(source) } else { read_mmcif(source) };
            for chain in chains.into_iter().flatten() {
                assert_eq!(chain.sequence.len(), chain.q3.len());
            }
        }
    }
}

/// An ATOM or HETATM record.
fn atom(record: &str, name: &str, residue: &str, chain: char, number: &str) -> String {
    format!("{record:<6}    1 {name:<4} {residue:>3} {chain}{number:<5}   0.000   0.000   0.000  1.00  0.00\n")
}

fn pdb(text: &str) -> Result<Vec<Chain>> {
    read_pdb(ByteSource::new(text.as_bytes(), "x.pdb").unwrap())
}

#[test]
fn the_columns_of_pdb_say_which_residue_is_meant() {
    let text = [
        "HELIX    1   1 ALA A   -1  GLY A    1A 1                                   3\n".to_owned(),
        "SHEET    1   A 2 GLY A   1A SER A   2  0\n".to_owned(),
        atom("ATOM", " CA ", "ALA", 'A', "  -1 "),
        atom("ATOM", " CA ", "VAL", 'A', "   1 "),
        // An alternative, of another residue.
        atom("ATOM", " CA ", "LEU", 'A', "   1 "),
        atom("ATOM", " CA ", "GLY", 'A', "   1A"),
        // Behind the helix, which ends with 1A.
        atom("ATOM", " CA ", "PRO", 'A', "   1B"),
        atom("ATOM", " N  ", "TRP", 'A', "   2 "),
        atom("ATOM", " CA ", "SER", 'A', "   2 "),
        // Modified, then the end of the polymer, then calcium and a ligand.
        atom("HETATM", " CA ", "SEP", 'A', "   3 "),
        "TER\n".to_owned(),
        "TER     100      SEP A   3\n".to_owned(),
        atom("HETATM", "CA  ", " CA", 'A', " 101 "),
        atom("HETATM", " CA ", "ALA", 'A', " 102 "),
        atom("HETATM", " CA ", "MSE", 'A', " 103 "),
        atom("ATOM", " P  ", " DA", 'B', "   1 "),
        "ENDMDL\n".to_owned(),
        atom("ATOM", " CA ", "TYR", 'C', "   1 "),
    ];
    let chains = pdb(&text.concat()).unwrap();
    let chain = Chain { id: "A".to_owned(), sequence: "AVGPSXM".to_owned(), q3: "HHHEE--".to_owned() };
    assert_eq!(chains, [chain]);
}

#[test]
fn damaged_structures_are_refused_with_their_line() {
    let error = |text: &str| pdb(text).unwrap_err().to_string();
    assert_eq!(
        error(&atom("ATOM", " CA ", "ALA", 'A', "  1x ")),
        "x.pdb, line 1, column 23: found the number \"1x\" of a residue, expected a whole number; the file is damaged or in \
         another format: mmCIF is read by `read_mmcif`"
    );
    assert!(error("ATOM      2  CA  ALA A\n").starts_with("x.pdb, line 1, column 1: found a record that is cut off"));
    assert!(error("HELIX    1   1 ALA A    1  GLY B    2\n").contains("found ends in the chains \"A\" and \"B\""));
    assert!(error("HEADER\n").starts_with("x.pdb: found no C-alpha atom"));
    assert!(error("ATOM é\n").contains("found no C-alpha atom"));

    let head = "data_x\n# c\nloop_\n_atom_site.label_atom_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n_atom_site.label_comp_id\n";
    let cif = |text: &str| read_mmcif(ByteSource::new(text.as_bytes(), "x.cif").unwrap());
    // A quoted name, a text, a single helix by values that stand alone, and a second block that is not read.
    let text = format!(
        "{head}CA 'A b' 1 ALA CA \"A b\"\n2 GLY\n;CA\n;\n'A b' 3 VAL\n_struct_conf.conf_type_id HELX_P\n\
         _struct_conf.beg_auth_asym_id 'A b'\n_struct_conf.beg_auth_seq_id 2\n_struct_conf.end_auth_seq_id 3\n\
         data_y\nloop_\n_atom_site.label_atom_id\nCA\n"
    );
    let chain = Chain { id: "A b".to_owned(), sequence: "AGV".to_owned(), q3: "-HH".to_owned() };
    assert_eq!(cif(&text).unwrap(), [chain]);
    // Of two models the first, of two elements of one name carbon, and of HETATM those of the polymer.
    let text = "data_x\nloop_\n_atom_site.group_PDB\n_atom_site.type_symbol\n_atom_site.label_atom_id\n_atom_site.label_seq_id\n\
                _atom_site.auth_asym_id\n_atom_site.auth_seq_id\n_atom_site.label_comp_id\n_atom_site.pdbx_PDB_model_num\n\
                ATOM C CA 1 A 7 ALA 1\nHETATM CA CA 3 A 8 CA 1\nHETATM C CA 2 A 9 MSE 1\nHETATM C CA . A 10 LIG 1\n\
                ATOM C CA 1 A 7 ALA 2\n";
    let chain = Chain { id: "A".to_owned(), sequence: "AM".to_owned(), q3: "--".to_owned() };
    assert_eq!(cif(text).unwrap(), [chain]);
    let error = |text: &str| cif(text).unwrap_err().to_string();
    assert_eq!(
        error(&format!("{head}CA A 1 ALA CA A\nloop_\n")),
        "x.cif, line 9, column 1: found a row of 2 values, expected 4, one for each name of the loop; the file is damaged: get it \
         again"
    );
    assert!(
        error(&format!("{head}CA A one ALA\n")).contains("line 8, column 1: found the number \"one\" of a residue")
    );
    assert!(error(&format!("{head}CA . 1 ALA\n")).contains("found a row without auth_asym_id"));
    assert!(error(&format!("{head}CA 'A 1 ALA\n")).contains("found a quote that is not closed"));
    assert!(error("data_x\n_a.b\n").contains("found _a.b without a value"));
    assert!(error("data_x\n;text\n").contains("found the end within a text"));
    assert!(error("loop_\n1 2\n").contains("found a loop without names"));
    assert!(error("HEADER x\n").contains("found the value \"HEADER\" without a name"));
}
