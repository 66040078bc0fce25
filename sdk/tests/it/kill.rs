//! What a kill leaves: whole lines, and at most one that is not.

use std::process::Stdio;
use std::time::Duration;

use tg_sdk::{Env, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// A case that writes until it is killed, from several threads at once.
pub(crate) async fn writes_on(env: Env) -> Result {
    let mut threads = Vec::new();
    for thread in 0..3_u32 {
        let env = env.clone();
        threads.push(std::thread::spawn(move || {
            let text = "x".repeat(2000);
            for n in 0_u32.. {
                env.results().point(&format!("{thread},{text}"), f64::from(n));
                if n == 200 {
                    env.message("on the way");
                }
            }
        }));
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    drop(threads);
    Ok(())
}

#[tokio::test]
async fn a_kill_harms_at_most_the_last_line() {
    for _ in 0..3 {
        let dir = tempfile::tempdir().expect("a folder");
        let mut child =
            crate::process::command("writes-on", dir.path()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut seen = 0;
        while seen < 3 {
            let line = lines.next_line().await.expect("text").expect("it goes on until it is killed");
            seen += usize::from(line.contains("on the way"));
        }
        child.kill().await.expect("killed");
        let text = std::fs::read(dir.path().join("results.out")).expect("the file");
        let mut next = [0.0; 3];
        let mut whole = 0;
        let mut lines = text.split(|&b| b == b'\n').peekable();
        while let Some(line) = lines.next() {
            if lines.peek().is_none() {
                break; // Empty after a whole last line, or the one that the kill met.
            }
            let value: serde_json::Value = serde_json::from_slice(line).expect("a whole line");
            let thread = usize::from(value["name"].as_str().expect("a name").as_bytes()[0] - b'0');
            assert_eq!(value["measures"]["value"], next[thread], "no line of a thread is missing");
            next[thread] += 1.0;
            whole += 1;
        }
        assert!(whole >= 603, "{whole}");
    }
}
