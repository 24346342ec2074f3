use proptest::prelude::*;

use super::Parsed::{Declined, Empty, Option as Choice, Several, Unreadable};
use super::*;

fn options(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

fn colours() -> Vec<String> {
    options(&["red", "dark blue", "a green circle", "blue", "it moves to the left"])
}

#[track_caller]
fn check(cases: &[(&str, Parsed)]) {
    for (answer, expected) in cases {
        assert_eq!(parse_choice(answer, &colours()), *expected, "{answer:?}");
    }
}

#[test]
fn a_letter_alone() {
    check(&[
        ("B", Choice(1)),
        ("b", Choice(1)),
        (" (B) ", Choice(1)),
        ("B.", Choice(1)),
        ("b)", Choice(1)),
        ("[B]", Choice(1)),
        ("**B**", Choice(1)),
        ("\"B\"", Choice(1)),
        ("$\\boxed{B}$", Choice(1)),
        ("A", Choice(0)),
        ("E<|im_end|>", Choice(4)),
        ("\n\tC\n", Choice(2)),
    ]);
}

#[test]
fn a_letter_first() {
    check(&[
        ("B. dark blue", Choice(1)),
        ("B: dark blue", Choice(1)),
        ("b) dark blue", Choice(1)),
        ("(B) dark blue", Choice(1)),
        ("B dark blue", Choice(1)),
        ("A. It is red, not blue.", Choice(0)),
        ("B\nBecause the ball is dark.", Choice(1)),
        ("(C) because of the shape", Choice(2)),
        ("B. red", Choice(1)),
        ("B, because it is dark", Choice(1)),
        ("A because it is red", Choice(0)),
        ("B - dark blue", Choice(1)),
        ("C.\nC. a green circle", Choice(2)),
    ]);
}

#[test]
fn a_letter_stated() {
    check(&[
        ("The answer is B", Choice(1)),
        ("The answer is B.", Choice(1)),
        ("The correct answer is (b).", Choice(1)),
        ("Answer: D", Choice(3)),
        ("answer:d", Choice(3)),
        ("**Answer:** C", Choice(2)),
        ("The best option is: A", Choice(0)),
        ("Option E", Choice(4)),
        ("I choose D, since it is small.", Choice(3)),
        ("The answer is A because it is red.", Choice(0)),
        ("I would pick option C and nothing else", Choice(2)),
        ("The answer is A. No, wait: the answer is C.", Choice(2)),
        ("A car passes by. The answer is B.", Choice(1)),
        ("So the ball is blue. Therefore, the final answer is (D).", Choice(3)),
        ("<answer>A</answer>", Choice(0)),
        ("I think it's B.", Choice(1)),
        ("Option B is not right; the answer is C", Choice(2)),
        ("The answer isn't A. It should be option D.", Choice(3)),
    ]);
}

#[test]
fn an_option_by_its_text() {
    check(&[
        ("red", Choice(0)),
        ("Red.", Choice(0)),
        ("Dark Blue", Choice(1)),
        ("blue", Choice(3)),
        ("The ball is dark blue.", Choice(1)),
        ("The answer is a green circle", Choice(2)),
        ("A green circle", Choice(2)),
        ("I think it moves to the left, slowly.", Choice(4)),
    ]);
}

#[test]
fn several_options() {
    check(&[
        ("A or B", Several),
        ("A, B", Several),
        ("A/C", Several),
        ("A and B", Several),
        ("The answer is A or B.", Several),
        ("Both (A) and (C)", Several),
        ("red or blue", Several),
        ("A. red\nB. dark blue", Several),
        ("A. red\nB. dark blue\nThe answer is B.", Choice(1)),
        ("A or B, I guess. The answer is A.", Choice(0)),
    ]);
    assert_eq!(parse_choice("yes", &options(&["yes", "no", "yes"])), Several);
}

#[test]
fn answers_without_an_option() {
    check(&[
        ("", Empty),
        (" \n ", Empty),
        ("\"\"", Empty),
        ("</s>", Empty),
        ("I cannot tell whether it is red.", Declined),
        ("I'm sorry, I can't see the video.", Declined),
        ("I don't know", Declined),
        ("None of the above", Declined),
        ("F", Unreadable),
        ("(Z) something", Unreadable),
        ("The answer is G.", Unreadable),
        ("purple", Unreadable),
        ("A man walks", Unreadable),
        ("...", Unreadable),
        ("42", Unreadable),
        ("It is not B.", Unreadable),
        ("Neither A nor B.", Unreadable),
        ("Option B is wrong", Unreadable),
        ("reddish", Unreadable),
    ]);
}

#[test]
fn words_that_look_like_letters() {
    // EgoSchema calls the person with the camera "C".
    let ego = options(&["C washes the dishes", "C cooks", "the man reads", "a cat sleeps", "I do not know"]);
    let parse = |answer: &str| parse_choice(answer, &ego);
    assert_eq!(parse("C washes the dishes"), Choice(0));
    assert_eq!(parse("C cooks."), Choice(1));
    assert_eq!(parse("In the video C cooks a meal"), Choice(1));
    assert_eq!(parse("C. the man reads"), Choice(2));
    assert_eq!(parse("a cat sleeps"), Choice(3));
    assert_eq!(parse("I do not know"), Choice(4), "an option may decline");
    assert_eq!(parse("C talks"), Unreadable);
    assert_eq!(parse("I cannot say"), Declined);
    assert_eq!(parse_choice("no", &options(&["yes", "no"])), Choice(1));
    assert_eq!(parse_choice("3", &options(&["2", "3"])), Choice(1));
    assert_eq!(parse_choice("a", &options(&["b", "a"])), Choice(0), "a letter comes before a text");
}

#[test]
fn a_letter_in_other_scripts_and_languages() {
    check(&[
        ("答案是B", Choice(1)),
        ("答案：C", Choice(2)),
        ("正确答案为（D）。", Choice(3)),
        ("我选择A。", Choice(0)),
        ("答案不是A，而是C", Choice(2)),
        ("答えはBです", Choice(1)),
        ("정답은 B입니다", Choice(1)),
        ("Ｅ．", Choice(4)),
        ("Antwort: C", Choice(2)),
        ("Die richtige Antwort ist B.", Choice(1)),
        ("La réponse est (D).", Choice(3)),
        ("La respuesta correcta es C", Choice(2)),
        ("Ответ: B", Choice(1)),
        ("Final verdict: E", Choice(4)),
        ("ASSISTANT: D", Choice(3)),
    ]);
}

#[test]
fn what_is_ruled_out_or_thought_aloud_does_not_count() {
    check(&[
        ("The answer is option A: red, not option B.", Choice(0)),
        ("The correct answer is A. Option C shows a cat, which does not appear.", Choice(0)),
        ("Not A, but C", Choice(2)),
        ("The answer is not A but C.", Choice(2)),
        ("It's not (A), it's (C).", Choice(2)),
        ("I would choose B rather than A.", Choice(1)),
        ("(A) is wrong and so is nothing else, (B) fits", Choice(1)),
        ("Option A is wrong. Option B fits.", Choice(1)),
        ("B is correct, A is not.", Choice(1)),
        ("A and B are wrong", Unreadable),
        ("Do not choose B", Unreadable),
        ("Option A or option C", Several),
        ("<think>The answer is A.</think>\nC", Choice(2)),
        ("<think>A? The answer is A", Empty),
        ("The answer is A? No.</think> The answer is D.", Choice(3)),
        ("**B**. The man walks", Choice(1)),
        ("**B.** dark blue", Choice(1)),
        ("{\"answer\": \"B\"}", Choice(1)),
        ("B<|endoftext|>", Choice(1)),
    ]);
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(answer in "\\PC{0,80}", texts in prop::collection::vec("\\PC{0,12}", 0..7)) {
        if let Choice(index) = parse_choice(&answer, &texts) {
            prop_assert!(index < texts.len());
        }
    }

    #[test]
    fn texts_of_letters_words_and_marks(parts in prop::collection::vec("[A-Fa-f.,()\\n ]{1,3}|answer|is|or|option|red|blue", 0..12)) {
        if let Choice(index) = parse_choice(&parts.join(" "), &colours()) {
            prop_assert!(index < 5);
        }
    }

    #[test]
    fn every_usual_form_of_every_letter(index in 0usize..5, form in 0usize..8) {
        let letter = (b'A' + index as u8) as char;
        let small = letter.to_ascii_lowercase();
        let forms = [
            letter.to_string(), format!("({letter})"), format!("{letter}."), format!("{small})"), format!("{letter}: yes"),
            format!("The answer is {letter}"), format!("Answer: ({small})"), format!("{letter}. {}", colours()[index]),
        ];
        prop_assert_eq!(parse_choice(&forms[form], &colours()), Choice(index));
    }
}
