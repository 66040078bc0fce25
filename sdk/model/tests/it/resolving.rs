//! What good input gives.

use crate::resolved;

#[test]
fn shares_are_rounded_half_up() {
    for (share, total, count) in [(0.5, 5, 3), (0.25, 10, 3), (0.15, 10, 2), (0.3, 10, 3), (1.0, 7, 7), (0.49, 5, 2)] {
        let text = format!(
            "[global]\nplan = \"p\"\ncase = \"free\"\nbuilder = \"exec:cargo\"\nrunner = \"local:exec\"\n\
             total_instances = {total}\n[[groups]]\nid = \"a\"\ninstances = {{ percentage = {share} }}\n\
             [[groups]]\nid = \"b\"\ninstances = {{ count = {} }}\n",
            total - count
        );
        let text = if count == total {
            text.split("[[groups]]\nid = \"b\"").next().unwrap_or_default().to_owned()
        } else {
            text
        };
        let runs = resolved(&text).expect("the counts add up");
        assert_eq!(runs[0].groups[0].count, count, "{share} of {total}");
        assert_eq!(runs[0].instances(), total);
    }
}
