//! Typed parameters: whatever is wrong with them is reported at once, and fails the instance.

use std::time::Duration;

use tg_sdk::{Env, Json, Plan, Result, Size};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    Plan::new().case("parameters", parameters).run().await
}

struct Settings {
    rounds: u32,
    payload: Size,
    pause: Duration,
    verbose: bool,
    sizes: Vec<u32>,
    region: Option<String>,
}

async fn parameters(env: Env) -> Result {
    let settings = env.params(|p| {
        let settings = Settings {
            rounds: p.within("rounds", 10, 1..=1000),
            payload: p.get_or("payload", Size(64)),
            pause: p.get("pause"),
            verbose: p.get_or("verbose", false),
            sizes: p.get_or("sizes", Json(vec![1, 2, 3])).0,
            region: p.maybe("region"),
        };
        if settings.sizes.is_empty() {
            p.problem("`sizes` must hold at least one size");
        }
        settings
    })?;
    let Settings { rounds, payload, pause, verbose, sizes, region } = settings;
    env.message(format_args!("{rounds} rounds of {payload} with {pause:?} between them, sizes {sizes:?}"));
    if verbose {
        env.message(format_args!("region: {}", region.as_deref().unwrap_or("none")));
    }
    Ok(())
}
