//! Malformed connection strings through every command that has brokers: the key is in no output.

use super::{Ran, folder, program};

/// Halves that cannot come from anywhere else.
const KEY: [&str; 2] = ["hUshKey1", "HuShKey2"];

/// Every command that has brokers, with what it needs besides.
const COMMANDS: [&str; 11] = [
    "run --source logs --rules r.yaml --state-dir state",
    "topics create",
    "topics check",
    "topics reset logs --source logs",
    "incidents tail",
    "incidents show ab",
    "dead-letters tail",
    "dead-letters replay --to logs",
    "rules show x",
    "backtest --rules r.yaml --input kafka://logs",
    "backtest --rules r.yaml --input in.json --output kafka://logs",
];

fn whole() -> String {
    let [one, two] = KEY;
    format!("Endpoint=sb://ns.invalid/;SharedAccessKeyName=n;SharedAccessKey={one}+/{two}=")
}

/// Strings of which each is wrong in one way.
fn malformed() -> Vec<String> {
    let whole = whole();
    let [one, two] = KEY;
    vec![
        whole.replace(';', "%3B"),
        whole.replace(';', "%3b").replace('=', "%3D"),
        whole.replace(';', ","),
        whole.replace(';', " "),
        whole.replace(';', "\n"),
        whole.replace(';', ":"),
        whole.replace(';', "；"),
        format!("\u{feff}\"{whole}"),
        format!("'{whole}"),
        format!("{whole}\""),
        format!("{whole}{whole}"),
        format!("{whole};{whole}"),
        format!("{whole};EntityPath={one}/{two}"),
        whole.replace("SharedAccessKey=", "SharedAccessKey"),
        whole.replace("SharedAccessKey=", "sharedaccesskey:"),
        whole.replace("SharedAccessKeyName=n;", ""),
        whole.replace("Endpoint=sb://ns.invalid/;", ""),
        whole.replace("sb://", "https://"),
        whole.replace("sb://ns.invalid/", &format!("sb://{one}:{two}@ns/")),
        whole.replace("ns.invalid/", &format!("ns/{one}")),
        whole.replace("Key=", "Signature="),
        format!("{one}+/{two}="),
        format!("{one};{two}"),
    ]
}

/// Runs a command, and holds that it ends at once with code 2, names what is wrong, and shows
/// nothing of the key.
fn check(command: &str, environment: &[(&str, &str)], config: &str, names: &str) {
    let rule =
        "id: R\nname: n\nseverity: 5\nwindow: 5s\npatterns: [{name: P, where: user IS NULL}]\n";
    let place = folder(&[("w.toml", config), ("r.yaml", rule), ("in.json", "{}")]);
    let arguments: Vec<&str> = command.split(' ').chain(["--config", "w.toml"]).collect();
    check_at(&place, &arguments, environment, names);
}

fn check_at(
    place: &tempfile::TempDir,
    arguments: &[&str],
    environment: &[(&str, &str)],
    names: &str,
) {
    let mut command = program(place.path(), arguments);
    command
        .env("WATCHFIRE_LOG", "trace")
        .envs(environment.iter().copied());
    let ran = Ran::of(&mut command);
    let what = format!("{arguments:?} {environment:?}");
    assert_eq!(ran.code, 2, "{what}: {ran:?}");
    assert!(ran.err.contains(names), "{what}: {ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    for half in KEY {
        assert!(!said.contains(half), "{what}: {said}");
    }
}

#[test]
fn no_command_shows_the_key_of_a_malformed_connection_string() {
    let variable = "EVENTHUBS_CONNECTION_STRING";
    for text in malformed() {
        check("topics check", &[(variable, &text)], "", variable);
        check("run --log-json", &[(variable, &text)], "", variable);
        let names = "holds a connection string";
        let user = ("WATCHFIRE_KAFKA_SASL_USERNAME", "$ConnectionString");
        let login = [user, ("WATCHFIRE_KAFKA_SASL_PASSWORD", text.as_str())];
        let config = "[kafka]\n\"bootstrap.servers\" = \"localhost:1\"\n";
        check("incidents tail", &login, config, "sasl.password");
        if text.to_lowercase().contains("sharedaccess") {
            check(
                "topics check",
                &[("WATCHFIRE_KAFKA_CLIENT_ID", &text)],
                config,
                names,
            );
        }
    }
    for command in COMMANDS {
        for text in [&malformed()[0], &malformed()[2]] {
            check(command, &[(variable, text)], "", variable);
        }
    }
}

#[test]
fn no_command_shows_a_key_that_was_written_elsewhere() {
    let whole = whole();
    for command in COMMANDS {
        check(command, &[], &format!("kafka = \"{whole}\""), "w.toml:1");
        let place = "[kafka]\n\"bootstrap.servers\"";
        check(
            command,
            &[],
            &format!("{place} = \"{whole}\""),
            "bootstrap.servers",
        );
    }
    for config in [
        format!("{whole}\n"),
        format!("EVENTHUBS_CONNECTION_STRING = \"{whole}\""),
        format!("EVENTHUBS_CONNECTION_STRING = {whole}"),
        format!("\"{whole}\" = 1"),
        format!("kafka = [\"{whole}\"]"),
        format!("patience = \"{whole}\""),
        format!("delivery = \"{whole}\""),
        format!("[kafka]\n\"sasl.username\" = \"{whole}\""),
        format!("[kafka]\n\"sasl.password\" = \"{whole}\""),
        format!("[limits]\nevidence = \"{whole}\""),
    ] {
        check("topics check", &[], &config, "");
    }
    for variable in [
        "EVENTHUBS_CONNECTION_STRING_FILE",
        "WATCHFIRE_PATIENCE",
        "WATCHFIRE_SOURCES",
        "WATCHFIRE_APP",
        "WATCHFIRE_STATE_DIR",
        "WATCHFIRE_KAFKA_SASL_JAAS_CONFIG",
        "WATCHFIRE_KAFKA_SASL_PASSWORD_FILE",
        "WATCHFIRE_CONFIG",
    ] {
        let place = folder(&[]);
        let arguments = ["topics", "check", "--app", "t"];
        let arguments = &arguments[..if variable == "WATCHFIRE_APP" { 2 } else { 4 }];
        check_at(&place, arguments, &[(variable, &whole)], "");
    }
    let place = folder(&[]);
    for flag in [
        "--brokers",
        "--config",
        "--app",
        "--source",
        "--rules",
        "--state-dir",
        "--delivery",
    ] {
        check_at(
            &place,
            &["topics", "check", flag, &whole],
            &[],
            "connection string",
        );
    }
    let half = &whole[whole.find("SharedAccessKey=").unwrap()..];
    for flag in ["--brokers", "--config"] {
        check_at(
            &place,
            &["topics", "check", flag, half],
            &[],
            "connection string",
        );
    }
}
