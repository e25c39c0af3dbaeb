//! What is read of what is named.

use super::*;

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let captured = "contoso/hub/0/2019/03/22/13/02/03.avro";
    let place = folder.path().join(captured);
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
        .chain([captured, "notes.md", "d.tar.gz", "avro"])
    {
        fs::write(folder.path().join(name), b"{}").unwrap();
    }
    let files = list(&[folder.path().to_owned()]).unwrap().files;
    let names: Vec<_> = files
        .iter()
        .map(|file| file.strip_prefix(folder.path()).unwrap())
        .collect();
    let expected = [
        "a.ndjson.gz",
        "b.json.zst",
        "c.jsonl.ZST",
        "contoso/PT1H.JSON",
        captured,
        "z.json",
    ];
    assert_eq!(names, expected.map(Path::new));
    assert!(list(&[folder.path().join("absent")]).is_err());
    let one = list(std::slice::from_ref(&place)).unwrap();
    assert_eq!(one.files, [place]);
}

#[test]
fn each_regular_file_is_read_once() {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    fs::create_dir(place("in")).unwrap();
    fs::write(place("in/a.json"), b"{}").unwrap();
    fs::write(place("other"), b"{}").unwrap();
    fs::hard_link(place("in/a.json"), place("in/b.json")).unwrap();
    symlink("a.json", place("in/c.json")).unwrap();
    symlink("../other", place("in/d.json")).unwrap();
    symlink(".", place("in/loop")).unwrap();
    symlink("..", place("in/up.json")).unwrap();
    symlink("/dev/zero", place("in/zero.json")).unwrap();
    symlink("nowhere", place("in/broken.json")).unwrap();
    symlink("nowhere", place("in/broken.txt")).unwrap();
    let socket = UnixListener::bind(place("in/socket.json")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(place("in/pipe.json"))
        .status();
    assert!(made.unwrap().success());

    let paths = [place("in"), place("in/a.json"), place("in/pipe.json")];
    let listing = list(&paths).unwrap();
    assert_eq!(listing.files, [place("in/a.json"), place("in/d.json")]);
    assert_eq!(listing.repeated.len(), 3, "{:?}", listing.repeated);
    let expected = [
        ("broken.json", "leads nowhere"),
        ("loop", "link to a directory"),
        ("pipe.json", "a pipe; only regular files"),
        ("socket.json", "a socket"),
        ("up.json", "link to a directory"),
        ("zero.json", "a device"),
        ("pipe.json", "a pipe"),
    ];
    let found = &listing.passed_over;
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, (name, why)) in found.iter().zip(expected) {
        assert!(found.contains(name) && found.contains(why), "{found}");
    }
    assert!(listing.check(false).is_ok());
    let error = format!("{:#}", listing.check(true).unwrap_err());
    assert!(
        error.contains("--strict") && error.contains("broken.json"),
        "{error}"
    );
    let notes = listing.notes().join("\n");
    assert!(notes.contains("7 files were passed over:"), "{notes}");
    assert!(
        notes.contains("3 files were named again, and read once"),
        "{notes}"
    );
    assert!(notes.contains("c.json is the same file as"), "{notes}");
    drop(socket);

    let pipe = list(&[place("in/pipe.json")]).unwrap();
    let error = format!("{:#}", pipe.check(false).unwrap_err());
    assert!(
        error.contains("nothing to read") && error.contains("a pipe"),
        "{error}"
    );
    let read = messages(&place("in/pipe.json"), &Reading::default(), &mut |_| Ok(()));
    let error = format!("{:#}", read.unwrap().unwrap());
    assert!(error.contains("not a regular file"), "{error}");
}

#[test]
fn many_notes_are_cut_short() {
    let many: Vec<String> = (0..23).map(|number| format!("file {number}")).collect();
    let notes = note("passed over", many.len(), &many);
    assert_eq!(notes.first().unwrap(), "23 files were passed over:");
    assert_eq!(notes.len(), 22);
    assert_eq!(notes.last().unwrap(), "  and 3 more");
    assert_eq!(note("x", 1, &["y"]), ["1 file was x:", "  y"]);
    assert!(note::<&str>("x", 0, &[]).is_empty());
}

#[test]
fn a_file_ends_where_it_ended_when_it_was_opened() {
    // Files of the system have a length of 0, though some can be read for ever.
    let mut messages_read = 0;
    let path = Path::new("/proc/self/status");
    let read = messages(path, &Reading::default(), &mut |_| {
        messages_read += 1;
        Ok(())
    });
    assert!(read.unwrap().is_none());
    assert_eq!(messages_read, 0);
}
