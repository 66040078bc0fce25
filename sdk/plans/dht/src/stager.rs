//! Steps that all nodes take together, one at a time, or in batches.

use tg_sdk::{Env, Result};

use crate::settings::Staging;

/// Waits until it is the turn of a node.
pub async fn enter(env: &Env, staging: Staging, step: &str, seq: usize) -> Result {
    if let Staging::Batches(size) = staging {
        let before = before(seq as u64, size);
        if before > 0 {
            // All of the batches before have left; nobody else can have.
            env.sync().barrier(&left(step), before).await?;
        }
    }
    Ok(())
}

/// Lets the next ones in, and waits for all.
pub async fn leave(env: &Env, step: &str) -> Result {
    env.wait_for_all(&left(step)).await?;
    Ok(())
}

fn left(step: &str) -> String {
    format!("{step}-left")
}

/// How many nodes are in the batches before that of a node.
fn before(seq: u64, size: u64) -> u64 {
    seq / size.max(1) * size.max(1)
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn a_batch_waits_for_all_before_it() {
        let waits = |size| (0..6).map(|seq| before(seq, size)).collect::<Vec<_>>();
        assert_eq!(waits(1), [0, 1, 2, 3, 4, 5]);
        assert_eq!(waits(4), [0, 0, 0, 0, 4, 4]);
        assert_eq!(waits(10), [0; 6]);
    }
}
