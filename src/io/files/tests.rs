use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// `content`, packed.
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

/// `content`, packed.
fn zstd(content: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(content, 1).unwrap()
}

/// Line and text.
type Row = (u64, String);

/// What comes of a file `name` that holds `content`, and how the reading ends.
fn read(name: &str, content: &[u8]) -> (Vec<Row>, Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let mut rows = Vec::new();
    let bytes_read = AtomicU64::new(0);
    let end = messages(&path, &bytes_read, &mut |message| {
        assert_eq!(message.path, path);
        rows.push((
            message.line,
            String::from_utf8(message.bytes.to_vec()).unwrap(),
        ));
        Ok(())
    });
    if end.is_ok() {
        assert_eq!(bytes_read.into_inner(), content.len() as u64, "{name}");
    }
    (rows, end)
}

/// The messages of a file: line and text.
fn check(name: &str, content: &[u8], expected: &[(u64, &str)]) {
    let (rows, end) = read(name, content);
    end.unwrap();
    let expected: Vec<Row> = expected
        .iter()
        .map(|(line, text)| (*line, (*text).to_owned()))
        .collect();
    assert_eq!(rows, expected, "{name}");
}

/// The messages before the error, and what the error says beside the file's name.
fn check_error(name: &str, content: &[u8], messages: usize, parts: &[&str]) {
    let (rows, end) = read(name, content);
    let error = format!("{:#}", end.unwrap_err());
    assert_eq!(rows.len(), messages, "{error}");
    for part in parts.iter().chain([&name]) {
        assert!(error.contains(part), "{error:?} says nothing of {part:?}");
    }
}

const TWO: &[u8] = b"{\"a\":1}\n{\"a\":2}\n";

const TWO_READ: &[(u64, &str)] = &[(0, "{\"a\":1}"), (1, "{\"a\":2}")];

#[test]
fn lines_and_documents() {
    check(
        "a.ndjson",
        b"{\"a\":1}\n\n{\"a\":2}\r\n",
        &[(0, "{\"a\":1}"), (2, "{\"a\":2}")],
    );
    check("a.json", b"{\"a\":1}\n{\"a\":2}", TWO_READ);
    check("a.json", b"{\n\"a\":1}\n", &[(0, "{\n\"a\":1}")]);
    check(
        "a.json",
        b"\n[{\"a\":\"]\"},\n{}]",
        &[(1, "[{\"a\":\"]\"},\n{}]")],
    );
    check(
        "a.txt",
        b"{\"a\": \"trunc\nplain {",
        &[(0, "{\"a\": \"trunc"), (1, "plain {")],
    );
    check("empty", b"", &[]);
    check("short", b"7", &[(0, "7")]);
}

#[test]
fn packed_files() {
    // Members and frames one after the other are one file.
    let four: &[(u64, &str)] = &[
        (0, "{\"a\":1}"),
        (1, "{\"a\":2}"),
        (2, "{\"a\":1}"),
        (3, "{\"a\":2}"),
    ];
    check("a.json.gz", &[gzip(TWO), gzip(TWO)].concat(), four);
    check("a.json.zst", &[zstd(TWO), zstd(TWO)].concat(), four);
    let skipped = [&[0x5A, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 1, 1][..], &zstd(TWO)].concat();
    check("a.json.zst", &skipped, TWO_READ);
    check("a.gz", &gzip(b""), &[]);
    check("a.zst", &zstd(b""), &[]);
}

#[test]
fn names_do_not_tell() {
    check("a.gz", TWO, TWO_READ);
    check("a.zst", TWO, TWO_READ);
    check("a.json", &gzip(TWO), TWO_READ);
    check("a.gz", &zstd(TWO), TWO_READ);
}

#[test]
fn packed_files_that_are_cut_or_damaged() {
    let (gzipped, zstded) = (gzip(TWO), zstd(TWO));
    for (packed, magic) in [(&gzipped, 2), (&zstded, 4)] {
        for cut in magic..packed.len() {
            let (rows, end) = read("a.json", &packed[..cut]);
            assert!(end.is_err(), "cut at {cut}");
            assert!(rows.len() <= TWO_READ.len(), "cut at {cut}");
        }
    }
    check_error("a.gz", &gzipped[..12], 0, &["cannot read", "incomplete"]);
    check_error("a.zst", &zstded[..12], 0, &["cannot read", "incomplete"]);
    let garbage = [&zstded[..], b"garbage"].concat();
    check_error("a.zst", &garbage, 2, &["cannot read"]);
    check_error("a.gz.zst", &zstd(&gzipped), 0, &["packed twice"]);
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let deep = "contoso/hub/0/2019/03/22/13/02/03.json";
    let place = folder.path().join(deep);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let others = [
        "z.json",
        "contoso/PT1H.JSON",
        "a.ndjson.gz",
        "b.json.zst",
        "c.jsonl.ZST",
    ];
    for name in others
        .into_iter()
        .chain([deep, "notes.md", "d.tar.gz", "avro"])
    {
        fs::write(folder.path().join(name), b"{}").unwrap();
    }
    let files = list(&[folder.path().to_owned()]).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(folder.path()).unwrap())
        .collect();
    let expected = [
        "a.ndjson.gz",
        "b.json.zst",
        "c.jsonl.ZST",
        "contoso/PT1H.JSON",
        deep,
        "z.json",
    ];
    assert_eq!(names, expected.map(Path::new));
    assert!(list(&[folder.path().join("absent")]).is_err());
    assert_eq!(list(std::slice::from_ref(&place)).unwrap(), [place]);
}
