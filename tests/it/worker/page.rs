//! The page of a worker in a real browser: whether it answers what it is looked at for, and what a
//! stream can do to it in which every text is hostile.

use std::time::Duration;

use serde_json::{Value, json};

use super::http::{TOKEN, free_port, get};
use super::process::Worker;
use super::setup::{Setup, Traffic, UPN, now, rule};
use crate::kafka::{produce, until};
use crate::report::browser::Browser;

/// Texts that break pages, terminals and labels.
const HOSTILE: [&str; 7] = [
    "<img src=x onerror=\"window.broken=1\">",
    "</script><script>window.broken=1</script>",
    "'\"><svg/onload=window.broken=1>",
    "javascript:window.broken=1//\n# EOF\n",
    "{{constructor.constructor('window.broken=1')()}}${window.broken=1}",
    "\u{202e}\u{0}\u{1b}[31mred\u{2028}\u{2066}",
    "\\\"}],\"ready\":false,\"x\":[{\"\u{feff}",
];

struct Page {
    setup: Setup,
    worker: Worker,
    port: u16,
    browser: Browser,
}

impl Page {
    /// The page of a worker with these rules, once it is ready.
    fn open(name: &str, rules: &str, width: u32) -> Page {
        let port = free_port();
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), TOKEN).unwrap();
        let path = token.path();
        let more = format!("http = {{ listen = \"127.0.0.1:{port}\", token_file = {path:?} }}\n");
        let setup = Setup::new(name, &more);
        setup.file("rule.yaml", rules);
        let worker = Worker::start(&setup.config("a"));
        until("the worker is ready", || {
            get(port, "/readyz", None).is_some_and(|(status, _)| status == 200)
        });
        let mut browser = Browser::open(width);
        browser.visit_address(&format!("http://127.0.0.1:{port}/"));
        Page {
            setup,
            worker,
            port,
            browser,
        }
    }

    /// Says the token as a person does.
    fn let_in(&mut self) {
        self.wait("!document.getElementById('gate').hidden");
        self.browser
            .value("document.getElementById('token').focus()");
        self.browser.enter(TOKEN);
        self.browser.press("Enter");
        self.wait("!document.getElementById('all').hidden");
        // Without one it was refused, which the browser notes.
        self.browser.complaints();
    }

    fn wait(&mut self, expression: &str) {
        until(expression, || self.browser.value(expression) == json!(true));
    }

    fn text(&mut self, of: &str) -> String {
        let text = format!("document.querySelector(`{of}`).innerText");
        self.browser.value(&text).as_str().unwrap().to_owned()
    }

    /// What the worker says, for those who have the token.
    fn document(&self) -> Value {
        let (status, answer) = get(self.port, "/status.json", Some(TOKEN)).unwrap();
        assert_eq!(status, 200);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap()
    }

    /// Holds that the browser complained of nothing and asked for nothing else.
    fn check_quiet(&mut self) {
        let own = format!("asked for \"http://127.0.0.1:{}/status.json\"", self.port);
        let mut complaints = self.browser.complaints();
        complaints.retain(|complaint| *complaint != own);
        assert_eq!(complaints, Vec::<String>::new());
        assert_eq!(self.browser.value("window.broken"), Value::Null);
        let scripts = "document.querySelectorAll('script, iframe, img, object, [onerror]').length";
        assert_eq!(self.browser.value(scripts), 1);
    }
}

#[test]
fn the_page_answers_what_it_is_looked_at_for() {
    let silent = "---\nid: PH_Rule_SILENT\nname: Nothing comes for it\nseverity: 9\nwindow: 1s\n\
                  patterns: [{ name: P, where: 'eventType = \"MS_EvtHub_never\"' }]\n";
    let rules = rule("window: 300s", "Commands of $user") + silent;
    let mut page = Page::open("page", &rules, 1280);
    assert_eq!(get(page.port, "/status.json", None).unwrap().0, 401);
    page.let_in();
    Traffic::start(&page.setup, 600, Duration::ZERO).finish();
    let bad = (now(), "{\"records\":[7]}".to_owned());
    produce(&page.setup.bootstrap, &page.setup.source, 1, &[bad]);
    page.setup.wait_until_read();
    // Is it working, and how far behind?
    page.wait("document.getElementById('state').textContent.startsWith('Working, ')");
    page.wait("document.getElementById('tiles').innerText.includes('1,801')");
    // Which partition holds time back?
    let source = page.setup.source.clone();
    page.wait("document.getElementById('progress-hint').textContent.startsWith('Event time')");
    assert!(page.text("#progress").contains(&source));
    // Which rules run, what did they find, when did their data last come?
    page.wait("document.querySelectorAll('#rule-list > tr').length === 2");
    page.wait("document.getElementById('rule-list').innerText.includes('never')");
    assert!(page.text("#notes").contains("For 1 rule no data has come"));
    let order = "document.querySelector('#rule-list th button').textContent";
    assert_eq!(page.browser.value(order), "Commands on machines");
    page.browser
        .value("document.querySelector('#rule-list th button').focus()");
    page.browser.press("Enter");
    let more = page.text("#rule-list tr.more");
    assert!(more.contains("Evaluated through\n20"), "{more}");
    assert!(more.contains("Data for Command\n"), "{more}");
    // Which incidents are there, and what do they rest on?
    page.wait("document.querySelectorAll('#incident-list > details').length >= 11");
    page.browser
        .value("document.querySelector('#incident-list summary').focus()");
    page.browser.press("Enter");
    let incident = page.text("#incident-list details[open]");
    for part in [
        "Commands of user",
        &format!("{source}/"),
        "runcommand_action",
    ] {
        assert!(incident.contains(part), "{part}: {incident}");
    }
    // An open one stays open while the page goes on.
    std::thread::sleep(Duration::from_secs(5));
    assert!(page.text("#incident-list details[open]").contains(&source));
    // What was refused, and why?
    let losses = page.text("#losses");
    assert!(losses.contains("Refused: not-an-object\t1"), "{losses}");
    assert!(page.text("#history").contains("not-an-object"));
    // What comes at all, and who else is there?
    assert!(
        page.text("#data")
            .contains("MS_EvtHub_compute_virtualmachines_read")
    );
    page.wait("document.getElementById('group-hint').textContent.startsWith('1 worker reads')");
    page.wait("document.getElementById('member-list').innerText.includes('this worker')");
    assert!(page.text("#member-list").contains("3 source partitions"));
    page.check_quiet();
    let folder = std::env::var_os("WATCHFIRE_SCREENSHOTS");
    if let Some(folder) = folder.map(std::path::PathBuf::from) {
        page.browser.show("screen", "dark");
        page.browser.picture(&folder.join("page-live.png"));
    }
    // When the worker is gone, that is said.
    assert!(!page.worker.log().contains(TOKEN));
    let Page {
        worker,
        mut browser,
        ..
    } = page;
    worker.kill();
    until("the page says that nobody answers", || {
        browser.value("document.body.className") == json!("is-lost")
    });
}

#[test]
fn a_hostile_stream_does_nothing_to_page_and_metrics() {
    let anything = "id: PH_Rule_ANY\nname: \"<b>any</b>\"\nseverity: 9\nwindow: 60s\npatterns:\n  \
                    - { name: P, where: 'user IS NOT NULL', group_by: [user] }\nincident:\n  \
                    title: \"$user <script>window.broken=1</script>\"\n  \
                    attributes: { user: P.user }\n";
    let mut page = Page::open("page-hostile", anything, 480);
    page.let_in();
    let messages: Vec<(i64, String)> = (0..4_000)
        .map(|number| {
            let text = HOSTILE[number % HOSTILE.len()];
            let text = format!("{text}{}", number / HOSTILE.len());
            let record = json!({
                "time": watchfire::time::rfc3339(now()),
                "operationName": text,
                "category": text,
                "resourceId": text,
                "correlationId": text,
                "callerIpAddress": text,
                "identity": { "claims": { UPN: text } },
            });
            (now(), json!({ "records": [record, 7, text] }).to_string())
        })
        .collect();
    for (partition, of_partition) in (0..).zip(messages.chunks(1_500)) {
        produce(
            &page.setup.bootstrap,
            &page.setup.source,
            partition,
            of_partition,
        );
    }
    page.setup.wait_until_read();
    page.wait("document.querySelectorAll('#incident-list > details').length === 24");
    page.wait("document.getElementById('tiles').innerText.includes('12,000')");
    page.browser
        .value("document.querySelectorAll('details').forEach((one) => (one.open = true))");
    page.browser
        .value("document.querySelectorAll('#rule-list button').forEach((b) => b.click())");
    std::thread::sleep(Duration::from_secs(5));
    let shown = page.text("#incident-list");
    assert!(
        shown.contains("<script>window.broken=1</script>"),
        "{shown}"
    );
    assert!(
        !shown.contains(['\u{202e}', '\u{1b}', '\u{2066}', '\0']),
        "{shown}"
    );
    assert!(shown.contains("\\u202e"), "{shown}");
    let wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(page.browser.value(wide), 0, "it scrolls sideways");
    let document = page.document();
    assert_eq!(document["ready"], true);
    assert!(document.to_string().len() < 4 << 20);
    let (_, metrics) = get(page.port, "/metrics", Some(TOKEN)).unwrap();
    let series = metrics
        .lines()
        .filter(|line| line.starts_with("watchfire_"));
    assert!(series.count() < 400, "{metrics}");
    assert!(
        !metrics.contains("onerror"),
        "no label is a text of the stream"
    );
    page.check_quiet();
}
