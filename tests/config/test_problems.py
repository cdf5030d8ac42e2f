from __future__ import annotations

from ebmkit.config.problems import Problem, as_json, render

LINE = "stepsize = 0.002"
PROBLEM = Problem(
    "E103",
    "unknown key 'stepsize' for sampler 'langevin'",
    "coop.toml",
    line=17,
    column=1,
    length=8,
    source_line=LINE,
    label="did you mean 'step_size'?",
    helps=("step_size: float, > 0, default 0.002",),
)


def test_a_problem_shows_its_line_with_carets_and_help() -> None:
    assert render([PROBLEM], file="coop.toml") == (
        "error[E103]: unknown key 'stepsize' for sampler 'langevin'\n"
        "   --> coop.toml:17:1\n"
        "   |\n"
        "17 | stepsize = 0.002\n"
        "   | ^^^^^^^^ did you mean 'step_size'?\n"
        "   = help: step_size: float, > 0, default 0.002\n"
        "\n"
        "1 error in coop.toml; nothing was started."
    )


def test_problems_come_in_the_order_of_the_file() -> None:
    early = Problem("E104", "first", "f", line=2, column=1, source_line="a = 1")
    text = render([PROBLEM, early], file="f")
    assert text.index("first") < text.index("stepsize")
    assert text.endswith("2 errors in f; nothing was started.")


def test_a_tab_and_a_long_line_leave_the_carets_under_the_key() -> None:
    line = "\t" + "x" * 300 + " key = 1"
    column = line.index("key") + 1
    shown = render([Problem("E1", "m", "f", 3, column, 3, line)], file="f").splitlines()
    text, carets = shown[3], shown[4]
    assert text[carets.index("^") : carets.rindex("^") + 1] == "key"
    assert max(map(len, shown)) <= 80


def test_a_label_that_does_not_fit_beside_the_carets_stands_below() -> None:
    line = "optimizer = { use = 'adam', betas = [0.9, 0.99], lr_decay = 'none', lr_spam = 9 }"
    column = line.index("lr_spam") + 1
    label = "did you mean 'lr_span'?"
    shown = render([Problem("E1", "m", "f", 3, column, 7, line, label)], file="f").splitlines()
    assert shown[4].endswith("^^^^^^^")
    assert shown[5] == f"  = help: {label}"
    assert max(map(len, shown)) <= 80


def test_as_json_says_the_same() -> None:
    (entry,) = as_json([PROBLEM])
    assert entry["code"] == "E103"
    assert (entry["line"], entry["column"]) == (17, 1)
