use crate::config::Written;
use crate::config::tests::built;

const NAMESPACE: &str = "[kafka]\n\"bootstrap.servers\" = \"ns.servicebus.windows.net\"\n";
const TENANT: &str = "AZURE_TENANT_ID=t-1";
const CLIENT: &str = "AZURE_CLIENT_ID=c-1";

/// The login that a file's text and variables (`NAME=value`) give, or the problems; and the
/// client's properties about it.
fn check(text: &str, variables: &[&str], expected: &str) {
    let secrets = [("/run/hush", "hUsh\n"), ("/run/empty", "\n")];
    let built = built(Written::default(), text, variables, &secrets);
    let shown = match &built {
        Ok(config) => format!("{:?}", config.login.as_ref().map(|login| &login.method)),
        Err(problems) => problems.join("\n"),
    };
    assert!(
        shown.contains(expected),
        "{text} {variables:?}: {shown}, not {expected}"
    );
    assert!(!format!("{built:?}").contains("hUsh"), "{built:?}");
}

#[test]
fn a_namespace_alone_is_logged_in_to_as_the_platform_says() {
    let machine = "Some(ManagedIdentity(Machine(\"http://169.254.169.254\"), None))";
    check(NAMESPACE, &[], machine);
    check(
        NAMESPACE,
        &["AZURE_CLIENT_ID=c-1", "AZURE_CLIENT_SECRET="],
        "Some(ManagedIdentity(Machine(\"http://169.254.169.254\"), Some(\"c-1\")))",
    );
    check(
        NAMESPACE,
        &[
            "IDENTITY_ENDPOINT=http://127.0.0.1:41/msi",
            "IDENTITY_HEADER=hUsh",
        ],
        "AppService(\"http://127.0.0.1:41/msi\", (secret))",
    );
    check(
        NAMESPACE,
        &["IDENTITY_ENDPOINT=http://127.0.0.1:41/msi"],
        "of a platform whose tokens cannot be got here",
    );
    check(
        NAMESPACE,
        &[TENANT, CLIENT, "AZURE_CLIENT_SECRET=hUsh"],
        "ClientSecret(Application { authority: \"https://login.microsoftonline.com\", tenant: \
         \"t-1\", client_id: \"c-1\" }, Value((secret)))",
    );
    check(
        &NAMESPACE.replace("windows.net", "chinacloudapi.cn"),
        &[TENANT, CLIENT, "AZURE_FEDERATED_TOKEN_FILE=/run/hush"],
        "WorkloadIdentity(Application { authority: \"https://login.chinacloudapi.cn\", ",
    );
    let mutual = format!("{NAMESPACE}\"ssl.certificate.location\" = \"/c\"\n");
    check(&mutual, &[], "None");
    check(
        &format!("{NAMESPACE}\"security.protocol\" = \"SSL\"\n"),
        &[],
        "None",
    );
    check(
        "[kafka]\n\"bootstrap.servers\" = \"b:9092\"\n",
        &[TENANT],
        "None",
    );
}

#[test]
fn what_a_login_needs_is_asked_for() {
    let with = |login: &str| format!("{NAMESPACE}[login]\n{login}\n");
    let secret = with("method = \"client_secret\"");
    check(
        &secret,
        &[],
        "login.tenant_id: not written; AZURE_TENANT_ID",
    );
    check(
        &secret,
        &[TENANT],
        "login.client_id: not written; AZURE_CLIENT_ID",
    );
    check(
        &secret,
        &[TENANT, CLIENT],
        "WATCHFIRE_LOGIN_CLIENT_SECRET, or into a file",
    );
    check(
        &secret,
        &[TENANT, CLIENT, "WATCHFIRE_LOGIN_CLIENT_SECRET=hUsh"],
        "Value((secret))",
    );
    check(
        &secret,
        &[
            TENANT,
            CLIENT,
            "WATCHFIRE_LOGIN_CLIENT_SECRET_FILE=/run/hush",
        ],
        "InFile(\"/run/hush\")",
    );
    check(
        &secret,
        &["AZURE_TENANT_ID=t/../x"],
        "login.tenant_id: an id or name has only",
    );
    check(
        &with("method = \"client_secret\"\nclient_secret = \"hUsh\""),
        &[],
        "the key client_secret is not known; did you mean client_secret_file?",
    );
    check(
        &with("client_secret_file = \"/run/empty\"\ntenant_id = \"t\"\nclient_id = \"c\""),
        &[],
        "login.client_secret_file: the file that it names is empty",
    );
    check(
        &with("method = \"workload_identity\""),
        &[TENANT, CLIENT, "AZURE_FEDERATED_TOKEN_FILE=/gone"],
        "login.token_file: the file that it names cannot be read: no such file",
    );
    check(
        &with("method = \"password\""),
        &[],
        "login.method: expected one of `client_secret`, `managed_identity`",
    );
}

#[test]
fn secrets_are_sent_to_nobody_in_the_clear() {
    for (authority, is_safe) in [
        ("https://login.example.com/", true),
        ("http://127.0.0.1:8080", true),
        ("http://login.example.com", false),
        ("https://login.example.com?x", false),
        ("login.example.com", false),
    ] {
        let authority = format!("AZURE_AUTHORITY_HOST={authority}");
        let expected = if is_safe {
            "Some("
        } else {
            "login.authority: expected https://HOST"
        };
        check(
            NAMESPACE,
            &[
                TENANT,
                CLIENT,
                &authority,
                "AZURE_FEDERATED_TOKEN_FILE=/run/hush",
            ],
            expected,
        );
    }
}

#[test]
fn there_is_one_way_to_log_in() {
    let login = "[login]\nmethod = \"managed_identity\"\n";
    let hub = "EVENTHUBS_CONNECTION_STRING=Endpoint=sb://ns.servicebus.windows.net/;\
               SharedAccessKeyName=n;SharedAccessKey=hush=";
    check(
        login,
        &[hub],
        "login.method is managed_identity, and the connection string says",
    );
    check("", &[hub, TENANT], "None");
    let other = "[kafka]\n\"bootstrap.servers\" = \"b:9092\"\n";
    let plain = format!("{other}\"sasl.mechanism\" = \"PLAIN\"\n{login}");
    check(
        &plain,
        &[],
        "\"sasl.mechanism\" under [kafka] says another way",
    );
    check(
        &format!("{other}{login}"),
        &[],
        "login.scope: say what the tokens are for",
    );
    let scope = format!("{other}{login}scope = \"api://kafka/.default\"");
    check(&scope, &[], "ManagedIdentity");
    let tokens = format!("{other}\"sasl.mechanism\" = \"OAUTHBEARER\"\n");
    check(
        &tokens,
        &[],
        "OAUTHBEARER needs tokens; write under [login]",
    );
    check(
        &format!("{other}[login]\nclient_id = \"c\""),
        &[],
        "login: no method; write one of",
    );
}
