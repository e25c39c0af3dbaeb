use super::*;

const BUDGET: Budget = Budget {
    block_cache_bytes: 8 << 20,
    write_buffer_bytes: 4 << 20,
};

fn owner(app: &str, cluster: Option<&str>) -> Owner {
    Owner {
        app: app.to_owned(),
        cluster: cluster.map(str::to_owned),
    }
}

fn open(path: &Path, app: &str) -> Result<Store> {
    Store::open(path, &owner(app, None), BUDGET)
}

fn set(row: &str, value: &str) -> Change {
    (row.into(), Some(value.into()))
}

/// The rows of a partition from `a` to before `z`, as text.
fn rows(store: &Store, partition: u32) -> String {
    let mut found = Vec::new();
    store
        .range(partition, b"a", b"z", &mut |row, value| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            found.push(format!("{}={}", text(row), text(value)));
            Ok(())
        })
        .unwrap();
    found.join(" ")
}

#[test]
fn rows_of_a_partition_are_told_apart_from_those_of_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "app").unwrap();
    store
        .write(&[
            (0, vec![set("b", "1"), set("z", "2")]),
            (1, vec![set("a", "3"), set("b", "4")]),
            (256, vec![set("b", "5")]),
        ])
        .unwrap();
    assert_eq!(
        [rows(&store, 0), rows(&store, 1), rows(&store, 256)],
        ["b=1", "a=3 b=4", "b=5"]
    );
    assert_eq!(store.get(1, b"a").unwrap(), Some(b"3".to_vec()));
    assert_eq!(store.get(2, b"a").unwrap(), None);

    store
        .write(&[(1, vec![("a".into(), None), set("c", "6")])])
        .unwrap();
    assert_eq!(rows(&store, 1), "b=4 c=6");
    store.drop_partition(1).unwrap();
    assert_eq!(
        [rows(&store, 0), rows(&store, 1), rows(&store, 256)],
        ["b=1", "", "b=5"]
    );
}

#[test]
fn many_changes_take_the_place_of_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path(), "app").unwrap();
    let row = |number: usize| format!("b{number:05}");
    let all = |value: &str| -> Vec<Change> {
        let rows = 0..FILE_CHANGES_MIN;
        rows.map(|number| set(&row(number), value)).collect()
    };
    store
        .write(&[
            (0, vec![set("c", "old"), set("d", "kept")]),
            (1, all("other")),
        ])
        .unwrap();
    store.write_much(0, all("first").into_iter()).unwrap();
    store.write(&[(0, vec![set(&row(7), "since")])]).unwrap();
    let mut again = all("second");
    again.push(("c".into(), None));
    again.retain(|(key, _)| key != row(7).as_bytes());
    store.write_much(0, again.into_iter()).unwrap();
    drop(store);

    let store = open(dir.path(), "app").unwrap();
    let get = |partition, row: &str| {
        let value = store.get(partition, row.as_bytes()).unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    };
    let last = row(FILE_CHANGES_MIN - 1);
    assert_eq!(get(0, &row(0)).as_deref(), Some("second"));
    assert_eq!(get(0, &row(7)).as_deref(), Some("since"));
    assert_eq!(get(0, &last).as_deref(), Some("second"));
    assert_eq!(get(0, "c"), None);
    assert_eq!(get(0, "d").as_deref(), Some("kept"));
    assert_eq!(get(1, &last).as_deref(), Some("other"));
    store.drop_partition(0).unwrap();
    assert_eq!(rows(&store, 0), "");
    store.write_much(0, all("anew").into_iter()).unwrap();
    assert_eq!(get(0, &last).as_deref(), Some("anew"));
    assert_eq!(get(0, "d"), None);
}

#[test]
fn a_store_is_kept_by_its_owner_and_dropped_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let write = |owner| {
        open(dir.path(), owner)
            .unwrap()
            .write(&[(0, vec![set("b", owner)])])
    };
    write("one").unwrap();
    assert_eq!(rows(&open(dir.path(), "one").unwrap(), 0), "b=one");
    assert_eq!(rows(&open(dir.path(), "two").unwrap(), 0), "");
    write("two").unwrap();
    assert_eq!(rows(&open(dir.path(), "two").unwrap(), 0), "b=two");
}

#[test]
fn a_damaged_store_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), "app")
        .unwrap()
        .write(&[(0, vec![set("b", "1")])])
        .unwrap();
    let manifest = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("MANIFEST"))
        .unwrap();
    std::fs::write(manifest, "nothing of use").unwrap();
    assert_eq!(rows(&open(dir.path(), "app").unwrap(), 0), "");
}

#[test]
fn a_second_process_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path(), "app").unwrap();
    let error = open(dir.path(), "app").err().unwrap().to_string();
    assert!(
        error.contains("give every worker a state_dir of its own"),
        "{error}"
    );
}

#[test]
fn an_error_names_the_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(file.path(), "app").err().unwrap().to_string();
    assert!(
        error.contains(&file.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn a_store_is_dropped_only_where_it_is_known_to_be_of_no_use() {
    let check = |row: &str, app: &str, cluster: Option<&str>, expected: &Found| {
        let found = owner(app, cluster).judge(row.as_bytes());
        let same = std::mem::discriminant(&found) == std::mem::discriminant(expected);
        assert!(same, "{row:?} for {app} {cluster:?}: {found:?}");
    };
    let useless = Found::Useless(String::new());
    let unknown = Found::Unknown(String::new());
    check("1\na\nc", "a", Some("c"), &Found::Ours);
    check("1\na\n", "a", None, &Found::Ours);
    check("1\na\n", "a", Some("c"), &Found::Unclaimed);
    check("1\na\nc", "a", None, &unknown);
    check("1\na\nd", "a", Some("c"), &useless);
    check("1\nb\nc", "a", Some("c"), &useless);
    check("1\nb\nc", "a", None, &useless);
    check("2\na\nc", "a", Some("c"), &useless);
    check("", "a", Some("c"), &useless);
}

#[test]
fn a_store_whose_owner_nobody_can_tell_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let of_cluster = owner("app", Some("one"));
    let store = Store::open(dir.path(), &of_cluster, BUDGET).unwrap();
    store.write(&[(0, vec![set("b", "1")])]).unwrap();
    drop(store);
    let refused = open(dir.path(), "app").err().unwrap().to_string();
    assert!(refused.contains("do not say which theirs is"), "{refused}");
    let store = Store::open(dir.path(), &of_cluster, BUDGET).unwrap();
    assert_eq!(rows(&store, 0), "b=1");
}
