use super::{Content, Node, Position, documents, locate};

/// The first value under the key `f`, wherever it is.
fn find(node: &Node) -> Option<&Node> {
    match &node.content {
        Content::Scalar(_) => None,
        Content::Sequence(items) => items.iter().find_map(find),
        Content::Mapping(entries) => entries.iter().find_map(|(key, value)| {
            if key.text == "f" {
                Some(value)
            } else {
                find(value)
            }
        }),
    }
}

/// The `?` in the value at the key `f` stands where it stands in the file.
fn check_place(text: &str) {
    let (documents, problems) = documents(text);
    assert!(problems.is_empty(), "{problems:?}");
    let node = documents
        .iter()
        .find_map(|document| find(&document.root))
        .unwrap();
    let Content::Scalar(scalar) = &node.content else {
        panic!("not a scalar")
    };
    let found = locate(text, node.at, scalar, &[scalar.text.find('?').unwrap()]);
    let before = &text[..text.find('?').unwrap()];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    assert_eq!(found, vec![Position { line, column }], "{text}");
}

#[test]
fn finds_places_within_scalars() {
    check_place("f: ab cd ?x");
    check_place("ä: {ö: é, f: äb ?}");
    check_place("a: b\nf: one\n  two\n  three ? four");
    check_place("f: \"a \\\"b\\\" \\\\ ?\"");
    check_place("f: \"a\n    b ?\"");
    check_place("f: 'it''s ? mine'");
    check_place("f: |\n  one\n    two ?\n  three\n");
    check_place("f: |-   # comment\n\n  one\n  ?\n");
    check_place("f: >\n  one\n  two\n\n  three ?\n");
    check_place("---\nx: y\n---\n- z\n- f: a ?");
}

#[test]
fn a_place_past_the_end_is_the_end() {
    let text = "f: abc\ng: d";
    let (documents, _) = documents(text);
    let node = find(&documents[0].root).unwrap();
    let Content::Scalar(scalar) = &node.content else {
        panic!("not a scalar")
    };
    assert_eq!(
        locate(text, node.at, scalar, &[3]),
        vec![Position { line: 1, column: 7 }]
    );
    assert_eq!(
        locate(text, node.at, scalar, &[99]),
        vec![Position { line: 1, column: 7 }]
    );
}

#[test]
fn keeps_the_text_of_each_document() {
    let check = |text: &str, expected: &[&str]| {
        let (documents, problems) = documents(text);
        assert!(problems.is_empty(), "{problems:?}");
        let texts: Vec<&str> = documents.iter().map(|document| document.text).collect();
        assert_eq!(texts, expected, "{text}");
    };
    check("a: 1\n", &["a: 1\n"]);
    check("# note\na: é # x\n", &["# note\na: é # x\n"]);
    check("# licence\n---\na: 1\n---\nb: é\n", &["a: 1\n", "b: é\n"]);
    check("a: 1\n...\n---\nb: 2", &["a: 1\n", "b: 2"]);
    check(
        "--- {a: 1}\n---\n# empty\n---\nb: 2\n",
        &[" {a: 1}\n", "b: 2\n"],
    );
    check("# nothing\n", &[]);
    check("", &[]);
}

#[test]
fn refuses_what_is_not_plain_yaml() {
    let check = |text: &str, line, column, expected: &str| {
        let (_, problems) = documents(text);
        let problem = problems.first().expect(text);
        assert_eq!(problem.at, Position { line, column }, "{problem:?}");
        assert!(problem.message.contains(expected), "{problem:?}");
    };
    check("a: 1\nb: 2\na: 3", 3, 1, "key `a` is already set in line 1");
    check("a: &x 1", 1, 4, "anchors and aliases");
    check("a: !!str 1", 1, 4, "tags are not supported");
    check("? [a]\n: 1", 1, 3, "a key is text");
    check("a: b: c", 1, 5, "not YAML");
    check("a:\n  b: 1\n c: 2", 3, 2, "not YAML");
    check("a: [1", 2, 1, "not YAML");
    check("a: [{ b: F(c, \"d\") }]", 1, 18, "in single quotes");
    check(&"[".repeat(70), 1, 66, "nested more than 64 deep");
}
