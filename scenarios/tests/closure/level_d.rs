//! L-d: every effect at once, calibrated from its own exposures and undone.

use scenarios::before_after::pairs;
use scenarios::scenario::Scenario;
use scenarios::unit::Plan;

#[test]
fn the_loop_of_detector_physics_meets_its_criteria() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::new(Scenario::read("detector").unwrap()).unwrap();
    scenarios::simulate::simulate(&plan, folder.path(), true).unwrap();
    for pair in pairs(&plan.scenario).unwrap() {
        pair.simulate(folder.path(), true).unwrap();
    }
    scenarios::reduce::reduce(folder.path(), None, &scenarios::reduced::Choices::default(), true).unwrap();
    let judged = scenarios::judge::judge(folder.path(), None, true).unwrap();
    assert!(judged.passed, "{}", judged.summary);
}
