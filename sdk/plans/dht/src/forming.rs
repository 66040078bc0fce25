//! Who dials whom to make the network: every node computes it for itself, from the same seed.

use tg_sdk::Rng;

use crate::settings::{Forming, Role};

/// The numbers that the node `me` dials, among nodes with these roles. Nobody dials a client or itself.
pub fn dials(forming: Forming, degree: usize, roles: &[Role], me: usize, seed: u64) -> Vec<usize> {
    let servers: Vec<usize> = (0..roles.len()).filter(|&seq| roles[seq] != Role::Client).collect();
    let hubs: Vec<usize> = servers.iter().copied().filter(|&seq| roles[seq] == Role::Bootstrapper).collect();
    let mut chosen = match forming {
        Forming::Star if roles[me] == Role::Bootstrapper => hubs.into_iter().filter(|&hub| hub < me).collect(),
        Forming::Star if hubs.is_empty() => Vec::new(),
        Forming::Star => vec![hubs[me % hubs.len()]],
        Forming::Ring => after(&servers, me).take(1).collect(),
        Forming::Mesh => {
            let mut others: Vec<usize> = servers.into_iter().filter(|&seq| seq != me).collect();
            Rng::new(seed ^ (me as u64 + 1).wrapping_mul(0x2545_f491_4f6c_dd1d)).shuffle(&mut others);
            others.truncate(degree);
            others
        }
        Forming::Balanced => {
            // On one random circle of the servers, a server dials those behind it, and the clients take turns.
            let mut circle = servers;
            Rng::new(seed).shuffle(&mut circle);
            let from = match circle.iter().position(|&seq| seq == me) {
                Some(at) => at + 1,
                None => roles[..me].iter().filter(|&&role| role == Role::Client).count() * degree,
            };
            let on = (0..circle.len()).map(|i| circle[(from + i) % circle.len()]);
            on.filter(|&seq| seq != me).take(degree).collect()
        }
    };
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// The servers behind a number, around the circle.
fn after(servers: &[usize], me: usize) -> impl Iterator<Item = usize> {
    let from = servers.partition_point(|&seq| seq <= me);
    (0..servers.len()).map(move |i| servers[(from + i) % servers.len()]).filter(move |&seq| seq != me)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(hubs: usize, servers: usize, clients: usize) -> Vec<Role> {
        [vec![Role::Bootstrapper; hubs], vec![Role::Server; servers], vec![Role::Client; clients]].concat()
    }

    fn reached(roles: &[Role], dials: &[Vec<usize>]) -> usize {
        let mut seen = vec![false; roles.len()];
        let mut todo = vec![0];
        while let Some(v) = todo.pop() {
            if !std::mem::replace(&mut seen[v], true) {
                todo.extend(&dials[v]);
                todo.extend((0..roles.len()).filter(|&w| dials[w].contains(&v)));
            }
        }
        seen.into_iter().filter(|&seen| seen).count()
    }

    #[test]
    fn every_form_connects_all_and_dials_no_client() {
        for (hubs, servers, clients) in [(1, 0, 3), (1, 1, 0), (3, 17, 5), (3, 97, 0)] {
            let roles = roles(hubs, servers, clients);
            for forming in [Forming::Star, Forming::Ring, Forming::Mesh, Forming::Balanced] {
                let all: Vec<Vec<usize>> = (0..roles.len()).map(|me| dials(forming, 3, &roles, me, 7)).collect();
                assert_eq!(reached(&roles, &all), roles.len(), "{forming:?} of {}", roles.len());
                for (me, dialled) in all.iter().enumerate() {
                    assert!(dialled.iter().all(|&seq| seq != me && roles[seq] != Role::Client), "{forming:?}");
                    assert!(dialled.len() <= 3, "{forming:?}");
                }
            }
        }
    }

    #[test]
    fn balanced_dials_every_server_equally_often() {
        let roles = roles(3, 17, 5);
        let mut dialled = vec![0usize; roles.len()];
        for me in 0..roles.len() {
            for seq in dials(Forming::Balanced, 4, &roles, me, 9) {
                dialled[seq] += 1;
            }
        }
        // 25 nodes dial 4 each, which is 5 for each of the 20 servers.
        assert_eq!(dialled, [[5; 20].as_slice(), &[0; 5]].concat());
    }

    #[test]
    fn the_circle_is_that_of_the_plan_in_go() {
        // Its test holds the same.
        let roles = [vec![Role::Server; 6], vec![Role::Client; 2]].concat();
        let all = (0..roles.len()).map(|me| dials(Forming::Balanced, 3, &roles, me, 9)).collect::<Vec<_>>();
        let wanted =
            [[1, 2, 3], [3, 4, 5], [1, 3, 4], [0, 4, 5], [0, 2, 5], [0, 1, 2], [0, 2, 5], [1, 3, 4]].map(Vec::from);
        assert_eq!(all, wanted);
    }
}
