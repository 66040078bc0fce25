//! The case `pubsub`: every instance publishes items, and every instance gets those of all.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tg_sdk::{Env, Result, Size};

#[derive(Debug, Serialize, Deserialize)]
struct Item {
    from: String,
    number: u32,
    content: String,
}

pub async fn pubsub(env: Env) -> Result {
    let (sizes, items) = env.params(|p| {
        let sizes = [64, 256, 1024, 4096];
        let only = p.get_or("size", Size(0)).0;
        (if only == 0 { sizes.to_vec() } else { vec![only] }, p.within("items", 10_u32, 1..=100_000))
    })?;
    for size in sizes {
        let stage = env.stage(&format!("size-{size}"));
        let name = format!("items-{size}");
        let mut topic = env.sync().subscribe::<Item>(&name);
        env.wait_for_all(&format!("ready-{size}")).await?;
        let content = "x".repeat(usize::try_from(size)?);
        let began = Instant::now();
        for number in 0..items {
            let item = Item { from: env.name(), number, content: content.clone() };
            let sent = Instant::now();
            env.sync().publish(&name, &item).await?;
            env.results().point_ns(&format!("publish_ns,size={size}"), sent.elapsed());
        }
        let all = env.instances() * u64::from(items);
        let got = topic.next_n(all).await?;
        let took = began.elapsed();
        env.results().point_ns(&format!("receive_all_ns,size={size}"), took);
        env.results().point(&format!("items_per_s,size={size}"), all as f64 / took.as_secs_f64());
        check(&got, &env.name(), items, size)?;
        env.wait_for_all(&format!("got-{size}")).await?;
        stage.end();
    }
    Ok(())
}

/// Whether an instance's own items came whole and in their order.
fn check(got: &[Item], me: &str, items: u32, size: u64) -> Result {
    let mine: Vec<u32> = got.iter().filter(|item| item.from == me).map(|item| item.number).collect();
    if !mine.iter().copied().eq(0..items) {
        return Err(format!("the items of `{me}` came as {mine:?}").into());
    }
    match got.iter().find(|item| item.content.len() as u64 != size) {
        Some(item) => Err(format!("an item of `{}` has {} bytes of {size}", item.from, item.content.len()).into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_cut_or_out_of_order_is_told() {
        let item = |from: &str, number, size| Item { from: from.to_owned(), number, content: "x".repeat(size) };
        let all = || vec![item("a/0", 0, 3), item("b/0", 1, 3), item("a/0", 1, 3)];
        assert!(check(&all(), "a/0", 2, 3).is_ok());
        let mut turned = all();
        turned.reverse();
        assert!(check(&turned, "a/0", 2, 3).is_err());
        assert!(check(&all()[..2], "a/0", 2, 3).is_err());
        let mut cut = all();
        cut[1].content.pop();
        assert!(check(&cut, "a/0", 2, 3).is_err_and(|error| error.to_string().contains("2 bytes of 3")));
    }
}
