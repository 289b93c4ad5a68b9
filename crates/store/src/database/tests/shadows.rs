//! The figures of shadows, in the suite.

use super::super::shadows::Shadows;
use super::stage::Stage;

pub(super) async fn figures_of_shadows_add_up_by_route_and_model(stage: Stage) {
    let database = &stage.database;
    let figures = |pairs: &[(&str, i64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<Vec<_>>();
    let rows = [
        ("chat", "a/x", 10, vec![("compared", 2), ("failed", 1)]),
        ("chat", "a/x", 10, vec![("compared", 3)]),
        ("chat", "a/x", 12, vec![("compared", 5)]),
        ("chat", "b/y", 12, vec![("compared", 7)]),
        ("other", "a/x", 12, vec![("compared", 11)]),
    ];
    for (route, model, hour, pairs) in rows {
        database.add_figures((route, model), hour, &figures(&pairs)).await.unwrap();
    }
    let sums = async |since| {
        let sums = database.figures("chat", since).await.unwrap();
        sums.into_iter().map(|sum| (sum.model, sum.figure, sum.value)).collect::<Vec<_>>()
    };
    let row = |model: &str, figure: &str, value| (model.to_owned(), figure.to_owned(), value);
    assert_eq!(
        sums(0).await,
        [row("a/x", "compared", 10), row("a/x", "failed", 1), row("b/y", "compared", 7)]
    );
    assert_eq!(sums(11).await, [row("a/x", "compared", 5), row("b/y", "compared", 7)]);
    database.forget_figures(12).await.unwrap();
    assert_eq!(sums(0).await, [row("a/x", "compared", 5), row("b/y", "compared", 7)]);
}
