//! A real Chromium without a window, driven by the `DevTools` protocol.
//!
//! Messages go through pipes (`--remote-debugging-pipe`), JSON that ends with a zero byte: the
//! browser reads them from its file 3 and writes to its file 4, which a shell makes of its standard
//! input and output.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::say_skipped;

/// How long the page may take for what is waited for. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one page.
pub struct Chromium {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The page's session.
    session: Option<String>,
    last: u64,
    /// Errors and warnings that scripts, or the browser for them, have left in the console.
    pub complaints: Vec<String>,
    profile: TempDir,
}

/// The program, if there is one. Where `OCCLUMAP_REQUIRE_BROWSER` is 1 there must be.
fn program(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        let required = std::env::var_os("OCCLUMAP_REQUIRE_BROWSER").is_some_and(|it| it == "1");
        assert!(!required, "{test}: there is no Chromium on the PATH");
        say_skipped(test, "there is no Chromium on the PATH");
    }
    found
}

impl Chromium {
    /// Starts a browser for a test; `None` where there is none, which is said.
    pub fn start(test: &str) -> Option<Self> {
        let program = program(test)?;
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, "sh"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let complaints = Vec::new();
        let mut chromium =
            Self { process, input, output, session: None, last: 0, complaints, profile };
        let target = chromium.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = chromium.call("Target.attachToTarget", attach);
        chromium.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            chromium.call(&format!("{domain}.enable"), json!({}));
        }
        Some(chromium)
    }

    /// Calls a method and returns its result.
    #[expect(clippy::needless_pass_by_value, reason = "calls are written as literals")]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.next();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    /// The next message; of events only complaints are kept.
    fn next(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.output.read_until(0, &mut bytes).expect("the browser answers");
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        let message: Value = serde_json::from_slice(&bytes).expect("JSON");
        let parameters = &message["params"];
        let complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => Some(&parameters["exceptionDetails"]),
            Some("Log.entryAdded") => Some(&parameters["entry"]),
            Some("Runtime.consoleAPICalled") => Some(&parameters["args"]),
            _ => None,
        };
        self.complaints.extend(complaint.map(ToString::to_string));
        message
    }

    /// Opens a file.
    pub fn open(&mut self, path: &Path, fragment: &str) {
        let url = format!("file://{}{fragment}", path.display());
        // A mere fragment would not load the file again.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        let outcome = self.call("Page.navigate", json!({"url": url}));
        assert!(outcome["errorText"].is_null(), "{url}: {outcome}");
        self.wait_for("document.readyState === 'complete'");
    }

    /// What a script's expression evaluates to; promises are awaited.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let outcome = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true}),
        );
        let problem = &outcome["exceptionDetails"];
        assert!(problem.is_null(), "{expression}: {problem}");
        outcome["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let start = Instant::now();
        while self.evaluate(expression) != true {
            assert!(start.elapsed() < PATIENCE, "in vain: {expression}; {:?}", self.complaints);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key, such as `ArrowRight` or `t`.
    pub fn press(&mut self, key: &str) {
        let text = if key.len() == 1 { key } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "text": if kind == "keyDown" { text } else { "" }});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Clicks in the middle of the first element of a selector.
    pub fn click(&mut self, selector: &str) {
        let point = self.evaluate(&format!(
            "(() => {{ const one = document.querySelector({selector:?}); one.scrollIntoView({{block: 'center'}});
              const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": point[0], "y": point[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Sets the window's size and whether the system is dark.
    pub fn look(&mut self, width: u32, height: u32, dark: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": "", "features": features}));
    }

    /// What the window shows. It is kept in `$OCCLUMAP_SCREENSHOTS`, where that is set.
    pub fn screenshot(&mut self, name: &str) -> RgbImage {
        let shot = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let bytes = STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        if let Some(folder) = std::env::var_os("OCCLUMAP_SCREENSHOTS") {
            let path = Path::new(&folder).join(format!("{name}.png"));
            std::fs::write(&path, &bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        image::load_from_memory(&bytes).expect("a picture").into_rgb8()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends when nobody speaks to it any more; this is for one that hangs.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = self.profile.path();
    }
}
