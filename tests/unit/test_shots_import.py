"""What a list of shots would change, row by row."""

from circletake.domain.shot_files import read_csv
from circletake.domain.shot_import import plan_import
from circletake.domain.shots import ShotValues


def plan(text, shots=None, sequences=None, episodes=()):
    return plan_import(read_csv(text), shots or {}, sequences or {}, episodes)


def outcomes(made):
    return [row.outcome for row in made.rows]


def reasons(made):
    return [[(each.pointer, each.code) for each in row.violations] for row in made.rows]


def test_rows_are_created_updated_or_unchanged():
    """A second import of the same list changes nothing."""
    shots = {
        "A": ShotValues(frame_in=1001, frame_out=1010, notes="keep"),
        "B": ShotValues(frame_in=1001, frame_out=1020),
    }
    made = plan("code,frame_in,frame_out\nA,1001,1010\nB,1001,1030\nC,1,2\n", shots)
    assert outcomes(made) == ["unchanged", "updated", "created"]
    assert made.rows[0].values.notes == "keep"
    assert made.count("created") == 1


def test_an_empty_cell_clears_what_the_shot_had():
    """Clearing is a change like any other."""
    made = plan("code,external_ref\nA,\n", {"A": ShotValues(external_ref="sg:1")})
    assert outcomes(made) == ["updated"]
    assert made.rows[0].values.external_ref is None


def test_the_first_of_two_rows_with_one_code_wins():
    """The later one is refused and says which line has the code already."""
    made = plan("code,frame_in\nA,1\nB,1\nA,2\n")
    assert outcomes(made) == ["created", "created", "refused"]
    assert reasons(made)[2] == [("/code", "doubled_code")]
    assert "Line 2" in made.rows[2].violations[0].message


def test_a_range_is_judged_with_the_end_that_the_shot_has_already():
    """frame_out alone can't be moved before the frame_in on record."""
    made = plan("code,frame_out\nA,1000\n", {"A": ShotValues(frame_in=1001, frame_out=1010)})
    assert reasons(made) == [[("/frame_out", "frame_range")]]


def test_sequences_and_episodes_that_are_not_there_are_made():
    """The report names them; those that exist already aren't made again."""
    made = plan(
        "code,sequence,episode\nA,TCC,104\nB,NEW,104\nC,LATER,105\nD,TCC,\nE,,\n",
        sequences={"TCC": "104"},
        episodes=["104"],
    )
    assert outcomes(made) == ["created"] * 5
    assert made.new_sequences == {"NEW": "104", "LATER": "105"}
    assert made.new_episodes == ["105"]


def test_a_refused_row_makes_no_sequence():
    """Only what is imported leaves traces."""
    made = plan("code,sequence,frame_in,frame_out\nA,NEW,10,1\n")
    assert outcomes(made) == ["refused"]
    assert made.new_sequences == {}


def test_a_sequence_is_never_moved_to_another_episode():
    """Not one on record, not one that an earlier row made."""
    made = plan(
        "code,sequence,episode\nA,TCC,105\nB,OPEN,105\nC,NEW,104\nD,NEW,105\n",
        sequences={"TCC": "104", "OPEN": None},
    )
    assert outcomes(made) == ["refused", "refused", "created", "refused"]
    assert {reason for row in reasons(made) for reason in row} == {("/episode", "sequence_elsewhere")}


def test_a_new_sequence_takes_its_episode_from_whichever_row_names_it():
    """The order of the rows doesn't matter."""
    made = plan("code,sequence,episode\nA,NEW,\nB,NEW,104\n")
    assert outcomes(made) == ["created", "created"]
    assert made.new_sequences == {"NEW": "104"}
