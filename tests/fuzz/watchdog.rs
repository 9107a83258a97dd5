//! An end for inputs on which a reader does not come back.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Watches one reader, as long as it exists.
pub struct Watchdog(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    /// The input in hand, and since when.
    since: Option<Instant>,
    input: Vec<u8>,
    over: bool,
}

impl Watchdog {
    /// Ends the process, after it kept the input, when one takes so long.
    pub fn start(reader: &'static str, folder: &Path, hanging: Duration) -> Self {
        let (watched, folder) = (Arc::new(Mutex::<Watched>::default()), folder.to_owned());
        let shared = Arc::clone(&watched);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(500));
                let watched = shared.lock().unwrap();
                if watched.over {
                    return;
                }
                if watched.since.is_some_and(|since| since.elapsed() > hanging) {
                    let path = super::keep(&folder, reader, &watched.input);
                    println!("{reader} hangs: {}", path.display());
                    std::process::exit(101);
                }
            }
        });
        Self(watched)
    }

    /// Begins to watch an input.
    pub fn watch(&self, input: &[u8]) {
        let mut watched = self.0.lock().unwrap();
        watched.input.clear();
        watched.input.extend_from_slice(input);
        watched.since = Some(Instant::now());
    }

    /// The input is through.
    pub fn rest(&self) {
        self.0.lock().unwrap().since = None;
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.lock().unwrap().over = true;
    }
}
