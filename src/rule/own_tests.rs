use super::*;

const FILE: &str = r#"
about = "an application's own audit"
source = "https://example.com/audit"
where = 'record.app = "billing"'

[attribute.user]
steps = [{ derive = "principal", paths = ["actor.mail"] }]

[attribute.tenantName]
meaning = "whose bill it is"
steps = [{ derive = "text", paths = ["tenant"] }]
"#;

fn parse(texts: &[&str]) -> Result<Own, Vec<RuleError>> {
    let files = (1..).zip(texts);
    let files = files.map(|(n, text)| (format!("own/{n}.toml"), (*text).to_owned()));
    Own::parse(&files.collect::<Vec<_>>())
}

#[test]
fn a_file_is_a_family_with_names_of_its_own() {
    let own = parse(&[FILE]).unwrap();
    let names = own.names();
    assert_eq!(names[0].name, "tenantName");
    assert_eq!(names[0].meaning, "whose bill it is");
    assert_eq!(own.families().next().unwrap().family.name, "1");
    assert_eq!(own, Own::of(own.files().to_vec()).unwrap());
}

#[test]
fn every_error_says_where_and_what() {
    fn check(from: &str, to: &str, expected: &str) {
        let errors = parse(&[&FILE.replacen(from, to, 1)]).unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(said[0].contains(expected), "{said:?}");
    }
    check(
        "about =",
        "aboot =",
        "own/1.toml:2:1: unknown field `aboot`",
    );
    check("where =", "# where =", "missing field `where`");
    check(
        "record.app",
        "record..app",
        "own/1.toml:4:9: where, at byte 1:",
    );
    check(
        "record.app",
        "user",
        "where asks for `user`, which is not known before",
    );
    check(
        "\"principal\"",
        "\"principle\"",
        "own/1.toml:7:21: unknown variant `principle`",
    );
    check(
        "\"principal\"",
        "\"time\"",
        "`time` is made by derive = \"time\"",
    );
    check(
        "\"actor.mail\"",
        "\"actor..mail\"",
        "own/1.toml:7:43: `actor..mail` is no path",
    );
    check(
        "meaning = \"whose bill it is\"",
        "",
        "`tenantName` is an attribute of your own",
    );
    check(
        "attribute.tenantName",
        "attribute.\"tenant name\"",
        "is no name of an attribute",
    );
    check(
        "steps = [{ derive = \"text\"",
        "stops = [{ derive = \"text\"",
        "unknown field `stops`",
    );
}

#[test]
fn an_attribute_has_one_meaning() {
    let other = FILE.replace("whose bill it is", "another");
    let errors = parse(&[FILE, &other]).unwrap_err();
    assert!(
        errors[0]
            .to_string()
            .contains("has another meaning or version in own/1.toml")
    );
    let without = FILE.replace("meaning = \"whose bill it is\"\n", "");
    assert!(parse(&[FILE, &without]).is_ok());
    let files = [
        ("a/x.toml".to_owned(), FILE.to_owned()),
        ("b/x.toml".to_owned(), String::new()),
    ];
    let errors = Own::parse(&files).unwrap_err();
    assert!(
        errors
            .iter()
            .any(|error| error.to_string().contains("has the same name"))
    );
}

#[test]
fn versions_stand_where_a_meaning_is_written() {
    let version = |text: &str, name: &str| {
        let own = parse(&[text]).unwrap();
        let names = own.names();
        own.version(&normalise::attribute(name, &names).unwrap())
    };
    let raised = |what: &str| FILE.replacen(what, &format!("{what}\nversion = 2"), 1);
    assert_eq!(version(FILE, "user") + &version(FILE, "tenantName"), "");
    assert_eq!(version(&raised("[attribute.user]"), "user"), "+1@2");
    assert_eq!(
        version(&raised("[attribute.tenantName]"), "TENANTNAME"),
        "@2"
    );
}

#[test]
fn what_is_too_much_is_refused() {
    let paths = vec!["\"a\""; PATHS_MAX + 1].join(",");
    let many = FILE.replace("\"actor.mail\"", &paths);
    let errors = parse(&[&many]).unwrap_err();
    assert!(
        errors[0].message.contains("at most 5000 places"),
        "{errors:?}"
    );
    let long = format!("{FILE}#{}", " ".repeat(FILE_BYTES_MAX));
    let errors = parse(&[&long]).unwrap_err();
    assert!(
        errors[0].message.contains("at most 262144 bytes"),
        "{errors:?}"
    );
    assert!(parse(&[FILE; FILES_MAX + 1]).is_err());
}
