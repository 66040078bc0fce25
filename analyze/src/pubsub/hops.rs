//! The tree along which a message went.

/// How many hops each receiver is from the publisher: hop(publisher) = 0, hop(r) = hop(from(r)) + 1, where from(r) is
/// who handed r the message first.
///
/// The tree is directed from the publisher; each receiver has one parent. `receivers` are ascending, each once, with
/// who handed them the message. A receiver has no hops where the chain does not lead to the publisher: somebody on it is
/// unknown, did not get the message on record, or the chain runs in a circle, as what instances write may.
/// No receivers give no hops. Cost: O(n log n) for n receivers.
///
/// ```
/// use tg_analyze::pubsub::depths;
/// // 0 publishes; 1 and 2 have it from 0, 3 from 2, 4 from somebody without a trace, 5 and 6 from one another.
/// let receivers = [(1, Some(0)), (2, Some(0)), (3, Some(2)), (4, None), (5, Some(6)), (6, Some(5))];
/// assert_eq!(depths(0, &receivers), [Some(1), Some(1), Some(2), None, None, None]);
/// ```
pub fn depths(publisher: u32, receivers: &[(u32, Option<u32>)]) -> Vec<Option<u32>> {
    let at = |router: u32| receivers.binary_search_by_key(&router, |&(router, _)| router).ok();
    // Nothing yet; on the way; done.
    let mut known: Vec<Option<Option<u32>>> = vec![None; receivers.len()];
    let mut way = Vec::new();
    for start in 0..receivers.len() {
        let mut here = start;
        let end = loop {
            if let Some(hops) = known[here] {
                break hops;
            }
            // Whoever comes here again before it is done runs in a circle.
            known[here] = Some(None);
            way.push(here);
            match receivers[here].1 {
                Some(from) if from == publisher => break Some(0),
                Some(from) => match at(from) {
                    Some(next) => here = next,
                    None => break None,
                },
                None => break None,
            }
        };
        let mut hops = end;
        while let Some(back) = way.pop() {
            hops = hops.map(|hops| hops + 1);
            known[back] = Some(hops);
        }
    }
    known.into_iter().map(Option::flatten).collect()
}

/// To how many receivers each forwarder was the first to hand a message: the children in its tree, ascending by
/// forwarder; who forwarded to nobody first is not in it.
///
/// ```
/// use tg_analyze::pubsub::fan_out;
/// assert_eq!(fan_out(&[(1, Some(0)), (2, Some(0)), (3, Some(2)), (4, None)]), [(0, 2), (2, 1)]);
/// ```
pub fn fan_out(receivers: &[(u32, Option<u32>)]) -> Vec<(u32, u32)> {
    let mut from: Vec<u32> = receivers.iter().filter_map(|&(_, from)| from).collect();
    from.sort_unstable();
    from.chunk_by(|a, b| a == b).map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX))).collect()
}
