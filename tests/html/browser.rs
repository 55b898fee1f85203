//! The pages in headless Chromium, driven over its DevTools pipe (https://chromedevtools.github.io/devtools-protocol/).

use super::html;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(90);

const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
    --remote-debugging-pipe";

/// A browser with one page open.
struct Browser {
    child: Child,
    stdin: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    number: u64,
    /// What the page did meanwhile.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, with a printed reason, where there is no Chromium.
    fn start() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&paths).map(|path| path.join("chromium"));
        let Some(program) = found.into_iter().find(|path| path.is_file()) else {
            eprintln!("skipped: no chromium in PATH");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // The pipe is expected at the descriptors 3 and 4.
        let script = format!(
            "exec \"$0\" {FLAGS} \"--user-data-dir=$1\" about:blank 3<&0 4>&1 >/dev/null 2>&1 </dev/null"
        );
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .args([&program, &profile.path().to_path_buf()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, messages) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for message in stdout.split(0).map_while(Result::ok) {
                let _ = sender.send(serde_json::from_slice(&message).unwrap());
            }
        });
        let stdin = child.stdin.take().unwrap();
        let mut browser = Self {
            child,
            stdin,
            messages,
            session: String::new(),
            number: 0,
            events: Vec::new(),
            _profile: profile,
        };
        browser.attach();
        Some(browser)
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let id = &target["targetId"];
        let attached = self.call("Target.attachToTarget", json!({"targetId": id, "flatten": true}));
        self.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Log", "Runtime", "Page", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        write!(self.stdin, "{message}\0").unwrap();
        self.stdin.flush().unwrap();
        loop {
            let message = self.next(method);
            if message["id"] == json!(self.number) {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn next(&self, what: &str) -> Value {
        self.messages.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Opens a page of this colour scheme and width, and waits until it is loaded.
    fn open(&mut self, page: &Path, scheme: &str, width: u32) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        self.events.clear();
        self.call("Page.navigate", json!({"url": format!("file://{}", page.display())}));
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired";
        while !self.events.iter().any(loaded) {
            let event = self.next("load");
            self.events.push(event);
        }
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let key = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": if kind == "keyDown" { text } else { "" }});
            self.call("Input.dispatchKeyEvent", key);
        }
    }

    /// Addresses that were asked for, and what the console or the policy complained of.
    fn traffic(&self) -> (Vec<&str>, Vec<&Value>) {
        let asked =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let asked = asked.filter_map(|event| event["params"]["request"]["url"].as_str());
        let bad = |event: &&Value| {
            let method = event["method"].as_str().unwrap_or_default();
            matches!(
                method,
                "Log.entryAdded" | "Runtime.exceptionThrown" | "Runtime.consoleAPICalled"
            )
        };
        (asked.collect(), self.events.iter().filter(bad).collect())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = write!(self.stdin, "{{\"id\":0,\"method\":\"Browser.close\"}}\0");
        let _ = self.stdin.flush();
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All text whose contrast with what is behind it is below WCAG's AA (4.5, success criterion 1.4.3).
const LOW_CONTRAST: &str = r#"(() => {
  const rgb = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const light = (color) => {
    const [r, g, b] = color.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, script")) continue;
    seen += 1;
    const [a, b] = [light(rgb(getComputedStyle(element).color).slice(0, 3)), light(behind(element))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) low.push(element.outerHTML.slice(0, 90));
  }
  return seen > 50 ? low : ["only " + seen + " texts"];
})()"#;

fn pages(folder: &Path) -> [PathBuf; 2] {
    ["scan", "analyze"].map(|command| {
        let path = folder.join(format!("{command}.html"));
        let output = html(command, &["--output", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        path
    })
}

#[test]
fn pages_load_nothing_fit_and_are_readable_in_light_and_dark() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    for page in pages(folder.path()) {
        for (scheme, width) in [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)] {
            let at = format!("{}, {scheme}, {width}", page.display());
            browser.open(&page, scheme, width);
            let dark = browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches");
            assert_eq!(dark, scheme == "dark", "{at}");
            browser
                .evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)");
            let fits = "document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.evaluate(fits), true, "{at}: wider than the window");
            assert_eq!(browser.evaluate(LOW_CONTRAST), json!([]), "{at}");
            let (asked, complaints) = browser.traffic();
            assert!(
                asked.iter().all(|url| url.ends_with(".html")) && asked.len() == 1,
                "{asked:?}"
            );
            assert!(complaints.is_empty(), "{at}: {complaints:?}");
        }
    }
}

/// Everything is there without the script; with it the groups can be filtered.
#[test]
fn keys_open_and_close_a_report_and_the_filter_hides_groups() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [scan, _] = pages(folder.path());
    browser.open(&scan, "light", 1280);
    browser.press("Tab", 9, "");
    let focused = browser.evaluate("document.activeElement.className");
    assert_eq!(focused, "skip", "the first stop of the Tab key");
    browser.evaluate("document.querySelector('#group-1 summary').focus()");
    for open in [true, false] {
        browser.press("Enter", 13, "\r");
        let state = browser.evaluate("document.querySelector('#group-1 details.full').open");
        assert_eq!(state, open);
    }
    let shown =
        "[...document.querySelectorAll('.group')].filter((one) => one.checkVisibility()).length";
    let all = browser.evaluate(shown).as_u64().unwrap();
    browser.evaluate("document.getElementById('filter').focus()");
    browser.call("Input.insertText", json!({"text": "underrun"}));
    assert_eq!(browser.evaluate(shown), 1, "of {all}");
    browser.evaluate("document.getElementById('expand').click()");
    assert_eq!(browser.evaluate("document.querySelectorAll('details.full[open]').length"), 1);
}

/// The name of a file is as hostile as what is in it.
#[test]
fn a_hostile_name_is_shown_and_does_nothing() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let name = "<title><img src=x onerror=document.title='ran'>\"'&]]>.dmp.zst";
    let dump = folder.path().join(name);
    std::fs::copy(&super::dumps()[0], &dump).unwrap();
    for command in ["scan", "analyze"] {
        let page = folder.path().join(format!("{command}.html"));
        let mut csdump = Command::new(env!("CARGO_BIN_EXE_csdump"));
        csdump.args([command, "--format", "html", "--output"]).arg(&page).arg(&dump);
        assert_eq!(csdump.output().unwrap().status.code(), Some(0));
        browser.open(&page, "light", 1280);
        browser.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)");
        let text = browser.evaluate("document.body.innerText");
        assert!(text.as_str().unwrap().contains(name), "{text}");
        assert_ne!(browser.evaluate("document.title"), "ran");
        assert_eq!(browser.evaluate("document.images.length"), 0);
        let (asked, complaints) = browser.traffic();
        assert_eq!((asked.len(), complaints.len()), (1, 0), "{asked:?} {complaints:?}");
    }
}

/// The policy stops what would be loaded, should anything ever slip into a page.
#[test]
fn the_policy_forbids_loading_and_foreign_scripts() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    for page in pages(folder.path()) {
        let text = std::fs::read_to_string(&page).unwrap();
        let smuggled = "<img src=x.png onerror=\"document.title='ran'\"><script>document.title='ran'</script></body>";
        let spoilt = folder.path().join("spoilt.html");
        std::fs::write(&spoilt, text.replace("</body>", smuggled)).unwrap();
        browser.open(&spoilt, "light", 1280);
        assert_ne!(browser.evaluate("document.title"), "ran");
        let (_, complaints) = browser.traffic();
        assert!(complaints.len() >= 2, "{complaints:?}");
    }
}
