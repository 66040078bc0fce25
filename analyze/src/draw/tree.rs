//! A quadtree over points with masses: what far away pushes as one (J. Barnes, P. Hut, "A hierarchical O(N log N)
//! force-calculation algorithm", 1986).

/// A point of the plane.
pub(super) type Point = [f64; 2];

/// Points nearer to one another than the side of the whole over 2 to this power are one.
const DEEPEST: u32 = 24;

/// A square with the masses in it.
#[derive(Debug, Clone)]
struct Cell {
    /// The sum of position times mass; after the tree is made, the centre of mass.
    centre: Point,
    mass: f64,
    side: f64,
    corner: Point,
    /// Its four quarters; 0 for none, since the root is nobody's quarter.
    quarters: [u32; 4],
    /// Whether it holds points directly.
    is_leaf: bool,
}

/// The tree.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    cells: Vec<Cell>,
}

impl Tree {
    /// Of points with their masses.
    pub(super) fn new(points: &[Point], masses: &[f64]) -> Self {
        let (mut low, mut high) = ([f64::MAX; 2], [f64::MIN; 2]);
        for point in points {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
            }
        }
        let side = (high[0] - low[0]).max(high[1] - low[1]).max(1e-9) * 1.000_001;
        let mut tree = Self { cells: vec![Cell::new(low, side)] };
        for (point, &mass) in points.iter().zip(masses) {
            tree.insert(*point, mass);
        }
        for cell in &mut tree.cells {
            if cell.mass > 0.0 {
                cell.centre = cell.centre.map(|sum| sum / cell.mass);
            }
        }
        tree
    }

    fn insert(&mut self, point: Point, mass: f64) {
        let (mut at, mut depth) = (0, 0);
        loop {
            let cell = &mut self.cells[at];
            let was_empty = cell.mass == 0.0;
            let before = (cell.centre, cell.mass);
            cell.add(point, mass);
            if was_empty {
                cell.is_leaf = true;
                return;
            }
            if depth == DEEPEST {
                return;
            }
            if cell.is_leaf {
                // Whoever sat here alone moves one level down.
                cell.is_leaf = false;
                let old = before.0.map(|sum| sum / before.1);
                let down = self.quarter(at, old);
                let cell = &mut self.cells[down];
                cell.add(old, before.1);
                cell.is_leaf = true;
            }
            at = self.quarter(at, point);
            depth += 1;
        }
    }

    /// The quarter of a cell that a point lies in, made if there is none.
    fn quarter(&mut self, at: usize, point: Point) -> usize {
        let cell = &self.cells[at];
        let half = cell.side / 2.0;
        let side = [0, 1].map(|axis| usize::from(point[axis] >= cell.corner[axis] + half));
        let which = side[0] + 2 * side[1];
        if cell.quarters[which] == 0 {
            let corner = [0, 1].map(|axis| if side[axis] == 1 { cell.corner[axis] + half } else { cell.corner[axis] });
            let new = u32::try_from(self.cells.len()).unwrap_or(0);
            self.cells.push(Cell::new(corner, half));
            self.cells[at].quarters[which] = new;
        }
        self.cells[at].quarters[which] as usize
    }

    /// The sum over all masses of mass / distance, away from them, as felt at a point; what lies at the point itself
    /// does not push.
    pub(super) fn push(&self, point: Point, stack: &mut Vec<u32>) -> Point {
        // A cell that seems narrower than this is one mass. Below √½ it is never one that the point itself lies in.
        const WIDTH: f64 = 0.7;
        let mut force = [0.0; 2];
        stack.clear();
        stack.push(0);
        while let Some(at) = stack.pop() {
            let cell = &self.cells[at as usize];
            let away = [point[0] - cell.centre[0], point[1] - cell.centre[1]];
            let squared = away[0] * away[0] + away[1] * away[1];
            let has_quarters = cell.quarters != [0; 4];
            if !has_quarters || cell.side * cell.side < WIDTH * WIDTH * squared {
                if squared > 1e-18 {
                    let scale = cell.mass / squared;
                    force[0] += away[0] * scale;
                    force[1] += away[1] * scale;
                }
                continue;
            }
            stack.extend(cell.quarters.iter().filter(|&&quarter| quarter != 0));
        }
        force
    }
}

impl Cell {
    fn new(corner: Point, side: f64) -> Self {
        Self { centre: [0.0; 2], mass: 0.0, side, corner, quarters: [0; 4], is_leaf: false }
    }

    fn add(&mut self, point: Point, mass: f64) {
        self.centre[0] += point[0] * mass;
        self.centre[1] += point[1] * mass;
        self.mass += mass;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::random::Random;

    #[test]
    fn far_masses_push_as_all_of_them_would() {
        let mut random = Random::new(1);
        let points: Vec<Point> = (0..500).map(|_| [random.unit(), random.unit()]).collect();
        let masses: Vec<f64> = (0..500).map(|_| 1.0 + random.unit()).collect();
        let tree = Tree::new(&points, &masses);
        let mut stack = Vec::new();
        for &point in points.iter().step_by(17) {
            let (mut exact, mut gross) = ([0.0; 2], 0.0);
            for (other, mass) in
                points.iter().zip(&masses).filter(|(other, _)| (point[0] - other[0]).hypot(point[1] - other[1]) > 0.0)
            {
                let away = [point[0] - other[0], point[1] - other[1]];
                let scale = mass / (away[0] * away[0] + away[1] * away[1]);
                exact = [exact[0] + away[0] * scale, exact[1] + away[1] * scale];
                gross += scale * away[0].hypot(away[1]);
            }
            let found = tree.push(point, &mut stack);
            let error = (found[0] - exact[0]).hypot(found[1] - exact[1]);
            assert!(error < 0.005 * gross, "{found:?} {exact:?} {gross}");
        }
    }

    #[test]
    fn points_at_one_place_are_one() {
        let tree = Tree::new(&[[1.0, 1.0]; 5], &[1.0; 5]);
        assert!(tree.push([1.0, 1.0], &mut Vec::new()).iter().all(|force| force.abs() < 1e-12));
        let push = tree.push([2.0, 1.0], &mut Vec::new());
        assert!((push[0] - 5.0).abs() < 1e-9 && push[1].abs() < 1e-12, "{push:?}");
    }
}
