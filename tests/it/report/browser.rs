//! A headless Chromium that is told what to do through its DevTools protocol, over a pipe.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the browser may take for an answer, its start included, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long it may take to end.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// Names that the browser is installed under.
const NAMES: [&str; 2] = ["chromium", "google-chrome"];

const FLAGS: [&str; 9] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // Without a user of its own, as in a container, it starts no other way. It opens our page only.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// One page in a browser of its own.
pub struct Browser {
    process: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    /// What came and was not looked at yet.
    events: VecDeque<Value>,
    session: Option<String>,
    last_id: u64,
    /// Its profile.
    _home: TempDir,
}

impl Browser {
    /// A page as wide as said, with nothing in it.
    pub fn open(width: u32) -> Browser {
        let home = tempfile::tempdir().unwrap();
        let mut process = start(home.path());
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).unwrap();
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Browser {
            process,
            commands,
            messages,
            events: VecDeque::new(),
            session: None,
            last_id: 0,
            _home: home,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.resize(width);
        browser
    }

    pub fn resize(&mut self, width: u32) {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Shows pages as on `screen` or in `print`, to somebody who prefers `light` or `dark`.
    pub fn show(&mut self, media: &str, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        let shown = json!({"media": media, "features": [feature]});
        self.call("Emulation.setEmulatedMedia", shown);
    }

    pub fn without_javascript(&mut self) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({"value": true}),
        );
    }

    /// Opens a file, with what follows its name in the address.
    pub fn visit(&mut self, file: &Path, rest: &str) {
        self.visit_address(&format!("file://{}{rest}", file.display()));
    }

    /// Opens an address.
    pub fn visit_address(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
        self.wait_for("Page.loadEventFired");
    }

    /// The value of an expression on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut said = self.call("Runtime.evaluate", asked);
        let failure = said.get("exceptionDetails");
        assert!(failure.is_none(), "{expression}: {failure:?}");
        said["result"]["value"].take()
    }

    /// Presses a key as a person does, and waits until the page has drawn what follows.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "ArrowDown" => (40, ""),
            "Home" => (36, ""),
            other => panic!("no such key: {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
        self.settle();
    }

    /// Types a text into what has the focus.
    pub fn enter(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
        self.settle();
    }

    fn settle(&mut self) {
        self.value("new Promise((done) => setTimeout(() => requestAnimationFrame(done)))");
    }

    /// Writes what is seen as PNG.
    pub fn picture(&mut self, file: &Path) {
        let taken = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let data = taken["data"].as_str().unwrap();
        std::fs::write(file, openssl::base64::decode_block(data).unwrap()).unwrap();
    }

    /// What the browser complained of, and every address besides the page that it asked for.
    pub fn complaints(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        events.iter().filter_map(complaint).collect()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(method, params).unwrap();
        loop {
            let mut message = self.next(method);
            if message["id"] == self.last_id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push_back(message);
        }
    }

    fn send(&mut self, method: &str, params: Value) -> std::io::Result<()> {
        self.last_id += 1;
        let mut command = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes)
    }

    fn wait_for(&mut self, event: &str) {
        let is_it = |message: &Value| message["method"] == event;
        if let Some(place) = self.events.iter().position(is_it) {
            self.events.remove(place);
            return;
        }
        loop {
            let message = self.next(event);
            if is_it(&message) {
                return;
            }
            self.events.push_back(message);
        }
    }

    fn next(&mut self, why: &str) -> Value {
        let message = self.messages.recv_timeout(PATIENCE);
        message.unwrap_or_else(|error| panic!("{why}: the browser says nothing: {error}"))
    }
}

impl Drop for Browser {
    /// Lets it end by itself, with all its processes, so that none of them writes to the profile
    /// any more; by force where it does not.
    fn drop(&mut self) {
        self.session = None;
        let asked = self.send("Browser.close", json!({}));
        if asked.is_ok() {
            while self.messages.recv_timeout(END_PATIENCE).is_ok() {}
        }
        let gone = self.process.kill().and_then(|()| self.process.wait());
        if let Err(error) = gone {
            eprintln!("the browser cannot be ended: {error}");
        }
    }
}

/// The browser reads commands from its descriptor 3 and answers on 4.
fn start(home: &Path) -> Child {
    let is_there = |name: &&str| {
        let mut asked = Command::new("sh");
        asked.args(["-c", "command -v \"$0\"", name]);
        asked.output().unwrap().status.success()
    };
    let name = NAMES.into_iter().find(is_there);
    let name = name.expect("no browser is installed. Run `make test`, which installs one.");
    let with_pipes = "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
    Command::new("sh")
        .args(["-c", with_pipes, name])
        .args(FLAGS)
        .arg(format!("--user-data-dir={}", home.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What is wrong about an event, if it says that something is.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Log.entryAdded" => Some(params["entry"]["text"].to_string()),
        "Runtime.consoleAPICalled" => Some(params["args"].to_string()),
        "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
        "Network.requestWillBeSent" => {
            let asks_for_page = params["type"] == "Document";
            (!asks_for_page).then(|| format!("asked for {}", params["request"]["url"]))
        }
        _ => None,
    }
}
