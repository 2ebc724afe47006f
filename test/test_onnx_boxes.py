"""Boxes from any ONNX model: the letterbox, what outputs mean, suppression, regions and sides."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import CAMERA
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hamer_ros.detection import DetectorOptions, make_detector
from hamer_ros.detection.box_classes import (
    hand_classes,
    parse_names,
    person_class,
)
from hamer_ros.detection.box_outputs import (
    ScoredBoxes,
    Style,
    decode,
    recognise,
)
from hamer_ros.detection.box_tracking import MAX_MISSED, BoxFollower, FollowedBox, match
from hamer_ros.detection.found_boxes import SAME_IOU, FoundBox, distinct_boxes, suppress
from hamer_ros.detection.letterbox import GREY, Letterbox
from hamer_ros.detection.onnx_box_model import BGR_MEAN, BGR_STD, BoxModel
from hamer_ros.detection.onnx_detector import OnnxDetector, hand_boxes
from hamer_ros.errors import ConfigurationError, FileFormatError
from hamer_ros.geometry.boxes import iou
from hamer_ros.hands import Frame, Handedness

IMAGE = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
FRAME = Frame(IMAGE, 0.0, CAMERA)
SIDES = {0: Handedness.LEFT, 1: Handedness.RIGHT}
BOXES = np.array([[100.0, 120, 180, 220], [400.0, 200, 520, 300]])
"""Two hands in IMAGE, pixels."""


def write(path, outputs, names=None, size=(320, 320), inputs=None, kind=None):
    """Write a model that answers every image with the same arrays."""
    onnx = pytest.importorskip("onnx", reason="writing a model needs onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    kind = onnx.TensorProto.FLOAT if kind is None else kind
    shape = [1, 3, *size] if inputs is None else inputs
    nodes, results = [], []
    for i, output in enumerate(outputs):
        constant = numpy_helper.from_array(output)
        nodes.append(helper.make_node("Constant", [], [f"out{i}"], value=constant))
        results.append(helper.make_tensor_value_info(f"out{i}", constant.data_type, None))
    graph = helper.make_graph(
        nodes, "boxes", [helper.make_tensor_value_info("images", kind, shape)], results
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if names is not None:
        helper.set_model_props(model, {"names": str(names)})
    onnx.save(model, str(path))
    return path


def in_input(boxes):
    """Where boxes of IMAGE lie in an input of 320 x 320: halved, below a bar of 40 pixels."""
    return (boxes + 0.5) / 2 + [0, 40, 0, 40]


def centred(boxes):
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def outputs_of(style, boxes, scores, rows=2100):
    """What a model of a style says of boxes in its input, scores (N, C) being of classes."""
    if style is Style.WITH_LABELS:
        dets = np.column_stack([boxes, scores.max(axis=1)])[None]
        return [dets.astype(np.float32), scores.argmax(axis=1)[None]]
    if style is Style.FINAL:
        final = np.zeros((1, 300, 6), np.float32)
        final[0, : len(boxes)] = np.column_stack([boxes, scores.max(axis=1), scores.argmax(axis=1)])
        return [final]
    columns = [centred(boxes), scores]
    if style is Style.OBJECTNESS:
        columns = [centred(boxes), np.full((len(boxes), 1), 0.9), scores / 0.9]
    values = np.zeros((1, rows, sum(c.shape[1] for c in columns)), np.float32)
    values[0, 5 : 5 + len(boxes)] = np.hstack(columns)
    return [values.transpose(0, 2, 1).copy() if style is Style.COLUMNS else values]


def found(box, score=0.9, right=None):
    return FoundBox(np.array(box, float), score, right)


# The letterbox


@given(
    st.integers(1, 800), st.integers(1, 800), st.integers(32, 640), st.integers(32, 640),
    hnp.arrays(float, (3, 4), elements=st.floats(-50, 900)),
)  # fmt: skip
def test_the_letterbox_fits_and_keeps_the_proportions(width, height, w, h, boxes):
    letterbox = Letterbox(w, h, width, height)
    inner_width, inner_height = letterbox.inner
    assert inner_width <= w
    assert inner_height <= h
    assert inner_width == w or inner_height == h
    factor = min(w / width, h / height)
    assert abs(inner_width - factor * width) <= 1
    assert abs(inner_height - factor * height) <= 1
    corner = np.array(letterbox.corner)
    whole = np.concatenate([corner, corner + letterbox.inner])[None].astype(float)
    # From the outer corner of the first pixel to that of the last one.
    np.testing.assert_allclose(
        letterbox.to_image(whole), [[-0.5, -0.5, width - 0.5, height - 0.5]], atol=1e-9
    )
    factors = np.tile(np.array([inner_width / width, inner_height / height]), 2)
    there = (boxes + 0.5) * factors + np.tile(corner, 2)
    np.testing.assert_allclose(letterbox.to_image(there), boxes, atol=1e-6)


def test_the_letterbox_shows_pixels_where_it_says():
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:200, 300:400] = 255
    seen = Letterbox(320, 320, 640, 480).cut(image)
    assert (seen[:40] == GREY).all()
    assert (seen[-40:] == GREY).all()
    assert (seen[90:140, 150:200] == 255).all()
    assert seen[40:280].astype(int).sum() == 255 * 3 * 50 * 50


# What outputs mean


@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize("n_classes", [2, 7])
def test_every_style_is_recognised_and_decoded(style, n_classes):
    scores = np.zeros((2, n_classes))
    scores[0, 0], scores[1, 1] = 0.8, 0.6
    outputs = outputs_of(style, BOXES, scores)
    assert recognise(outputs, n_classes) is style
    decoded = decode(style, outputs, n_classes)
    best = decoded.scores.max(axis=1) > 0.5
    np.testing.assert_allclose(decoded.boxes[best], BOXES, atol=1e-3)
    np.testing.assert_allclose(decoded.scores[best], scores, atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "n_classes", "style"),
    [
        ([(1, 84, 8400)], None, Style.COLUMNS),  # YOLOv8 to 12, COCO
        ([(1, 5, 8400)], 1, Style.COLUMNS),
        ([(1, 5 + 63, 8400)], 1, Style.COLUMNS),  # with 21 keypoints
        ([(1, 4 + 1 + 32, 8400), (1, 32, 160, 160)], 1, Style.COLUMNS),  # with masks
        ([(1, 25200, 85)], None, Style.OBJECTNESS),  # YOLOv5, COCO
        ([(1, 25200, 6)], None, Style.OBJECTNESS),  # YOLOv5, one class
        ([(1, 8400, 85)], 80, Style.OBJECTNESS),  # YOLOX
        ([(1, 8400, 84)], 80, Style.ROWS),
        ([(1, 8400, 5)], None, Style.ROWS),
        ([(1, 300, 6)], 1, Style.FINAL),  # YOLO26
        ([(1, 0, 6)], None, Style.FINAL),
    ],
)
def test_shapes_of_known_exports(shapes, n_classes, style):
    assert recognise([np.zeros(shape, np.float32) for shape in shapes], n_classes) is style


def test_no_box_after_suppression_is_still_a_style():
    outputs = [np.zeros((1, 0, 5), np.float32), np.zeros((1, 0), np.int64)]
    assert recognise(outputs, None) is Style.WITH_LABELS
    assert decode(Style.WITH_LABELS, outputs, None).boxes.shape == (0, 4)


def test_padding_and_unnamed_classes_of_lists_are_left_out():
    outputs = [np.ones((1, 3, 5), np.float32), np.array([[0, -1, 7]])]
    assert decode(Style.WITH_LABELS, outputs, 2).scores.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("shapes", "n_classes"),
    [
        ([(1, 1000)], None),  # a classifier
        ([(1, 4, 8400)], None),
        ([(2, 84, 8400)], None),
        ([(1, 6, 8400)], 80),
        ([(100, 7)], None),
        ([(1, 2016, 18), (1, 2016, 1)], None),  # MediaPipe's palms
        ([], None),
    ],
)
def test_other_outputs_are_refused_with_their_shapes(shapes, n_classes):
    with pytest.raises(FileFormatError) as error:
        recognise([np.zeros(shape, np.float32) for shape in shapes], n_classes)
    for shape in shapes:
        assert f"float32 {shape}" in str(error.value)
    assert "(1, 4 + C, N)" in str(error.value)


# Classes


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("left", "right"), SIDES),
        (("Right_Hand", "LeftHand"), {0: Handedness.RIGHT, 1: Handedness.LEFT}),
        (("face", "LH", "rh"), {1: Handedness.LEFT, 2: Handedness.RIGHT}),
        (("person", "hand"), {1: None}),
        (("fist",), {0: None}),
        (("bright",), {0: None}),
        (("hand", "left-hand"), {0: None, 1: Handedness.LEFT}),
    ],
)
def test_names_tell_hands_and_sides(names, classes):
    assert hand_classes(names, len(names)) == classes


def test_without_names_only_a_single_class_is_sure_to_be_the_hand():
    assert hand_classes(None, 1) == {0: None}
    with pytest.raises(ConfigurationError, match="does not name its classes; name them"):
        hand_classes(None, 2)
    with pytest.raises(ConfigurationError, match=r"none of the classes .*: person, bicycle; name"):
        hand_classes(("person", "bicycle"), 2)


def test_names_are_read_from_what_ultralytics_writes():
    assert parse_names("{0: 'left', 1: 'right'}") == ("left", "right")
    assert parse_names("['hand']") == ("hand",)
    for text in ("left, right", "{1: 'left'}", "3"):
        with pytest.raises(ConfigurationError, match="'names' is no list"):
            parse_names(text)


def test_people_are_found_by_name_or_come_first():
    assert person_class(None) == 0
    assert person_class(("car", "Person")) == 1
    with pytest.raises(ConfigurationError, match="person"):
        person_class(("hand",))


def test_the_side_is_as_sure_as_the_scores_differ():
    scores = np.array([[0.1, 0.7], [0.6, 0], [0.3, 0.2], [0, 0.45]])
    scored = ScoredBoxes(np.tile(BOXES[0], (4, 1)), scores)
    boxes = hand_boxes(scored, SIDES, 0.4)
    assert [b.right for b in boxes] == pytest.approx([0.8, 0.2, 0.725])
    assert [b.score for b in boxes] == pytest.approx([0.7, 0.6, 0.45])
    assert [b.right for b in hand_boxes(scored, {0: None}, 0.4)] == [None]
    assert hand_boxes(ScoredBoxes(np.empty((0, 4)), np.empty((0, 2))), SIDES, 0.4) == []


# Suppression

corners = hnp.arrays(float, st.tuples(st.integers(0, 12), st.just(4)), elements=st.integers(0, 30))


def naive_iou(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / area if area > 0 else 0.0


@given(corners, st.floats(0.05, 0.95), st.randoms())
def test_suppression_is_the_naive_one(points, limit, random):
    boxes = np.concatenate([np.minimum(points[:, :2], points[:, 2:]),
                            np.maximum(points[:, :2], points[:, 2:])], axis=1)  # fmt: skip
    scores = np.array([random.choice([0.1, 0.5, 0.7, 0.9]) for _ in boxes])
    for a, row in zip(boxes, iou(boxes, boxes), strict=True):
        assert row == pytest.approx([naive_iou(a, b) for b in boxes])
    rest = sorted(range(len(boxes)), key=lambda i: -scores[i])
    expected = []
    while rest:
        first, *rest = rest
        expected.append(first)
        rest = [i for i in rest if naive_iou(boxes[first], boxes[i]) <= limit + 1e-12]
    assert suppress(boxes, scores, limit + 1e-12) == expected


def test_folded_hands_are_two_where_their_sides_are_clear():
    box, other = [0, 0, 100, 100], [20, 0, 120, 100]  # overlap 2 / 3
    assert SAME_IOU < naive_iou(box, other) < 0.8
    left, right = found(box, 0.9, 0.05), found(other, 0.8, 0.95)
    assert distinct_boxes([right, left]) == [left, right]
    assert distinct_boxes([left, found(other, 0.8, 0.6)]) == [left]
    assert distinct_boxes([left, found(box, 0.8, 0.95)]) == [left]
    assert distinct_boxes([]) == []


# Regions


def detection_ids(follower, *boxes):
    return [d.detection_id for d in follower.follow(IMAGE, [found(*b) for b in boxes])]


def test_a_hand_keeps_its_id_while_it_moves():
    follower = BoxFollower(DetectorOptions())
    for k in range(10):
        shift = 25 * k
        first, second = [shift, 0, shift + 100, 100], [300 - shift, 200, 400 - shift, 300]
        # The order in which a model names them says nothing.
        detections = follower.follow(IMAGE, [found(first), found(second)][:: 1 if k % 2 else -1])
        if k == 0:
            first_id = next(d.detection_id for d in detections if d.bounding_box[1] == 0)
        assert {d.detection_id for d in detections} == {1, 2}
        assert next(d.detection_id for d in detections if d.bounding_box[1] == 0) == first_id


def test_an_id_survives_a_gap_and_is_never_used_again():
    follower = BoxFollower(DetectorOptions())
    assert detection_ids(follower, ([0, 0, 100, 100],)) == [1]
    for _ in range(MAX_MISSED):
        assert detection_ids(follower) == []
    assert detection_ids(follower, ([10, 0, 110, 100],)) == [1]
    for _ in range(MAX_MISSED + 1):
        assert detection_ids(follower) == []
    assert detection_ids(follower, ([10, 0, 110, 100],)) == [2]
    follower.reset()
    assert detection_ids(follower, ([10, 0, 110, 100],)) == [3]


def test_no_more_hands_than_asked_for_and_followed_ones_first():
    follower = BoxFollower(DetectorOptions(max_hands=1))
    assert detection_ids(follower, ([0, 0, 100, 100], 0.5), ([300, 0, 400, 100], 0.4)) == [1]
    assert detection_ids(follower, ([0, 0, 100, 100], 0.5), ([300, 0, 400, 100], 0.9)) == [1]


def test_photographs_have_nothing_to_do_with_one_another():
    follower = BoxFollower(DetectorOptions(photographs=True))
    assert detection_ids(follower, ([0, 0, 100, 100],)) == [1]
    assert detection_ids(follower, ([0, 0, 100, 100],)) == [2]


def test_a_side_seen_wrongly_once_is_outvoted_and_hands_that_cross_do_not_trade():
    follower = BoxFollower(DetectorOptions())
    for _ in range(5):
        follower.follow(IMAGE, [found([0, 0, 100, 100], right=0.95)])
    (seen,) = follower.follow(IMAGE, [found([2, 0, 102, 100], right=0.05)])
    assert (seen.detection_id, seen.handedness) == (1, Handedness.RIGHT)
    assert 0.5 < seen.handedness_score < 1
    (seen,) = follower.follow(IMAGE, [found([40, 0, 140, 100], right=0.05)])
    assert (seen.detection_id, seen.handedness) == (2, Handedness.LEFT)


@given(corners.map(lambda b: b[:6]), corners.map(lambda b: b[:6]))
def test_matches_are_one_to_one_and_overlap(a, b):
    grow = [0, 0, 31, 31]
    hands = [FollowedBox(i, found(box + grow)) for i, box in enumerate(a)]
    boxes = [found(box + grow) for box in b]
    pairs = match(hands, boxes)
    assert len(set(pairs.values())) == len(pairs)
    for i, j in pairs.items():
        assert naive_iou(hands[i].found.bounding_box, boxes[j].bounding_box) > 0.2


def test_a_side_that_nobody_tells_is_looked_at_until_it_is_clear():
    looked = []

    def look(rgb, box):
        assert rgb is IMAGE
        looked.append(box)
        return 0.02

    follower = BoxFollower(DetectorOptions(), look)
    for _ in range(30):
        (seen,) = follower.follow(IMAGE, [found([0, 0, 100, 100])])
    assert seen.handedness is Handedness.LEFT
    assert 4 <= len(looked) <= 8
    (seen,) = BoxFollower(DetectorOptions()).follow(IMAGE, [found([0, 0, 100, 100])])
    assert seen.handedness_score == 0.5


# The model and the detector


@pytest.mark.parametrize("style", Style)
def test_a_model_of_every_style_finds_two_hands(tmp_path, style):
    scores = np.array([[0.8, 0.0], [0.0, 0.6]])
    outputs = outputs_of(style, in_input(BOXES), scores)
    path = write(tmp_path / "hands.onnx", outputs, {0: "left", 1: "right"})
    detector = make_detector("onnx", DetectorOptions(detector_model=path))
    for _ in range(2):
        left, right = detector.detect(FRAME)
        np.testing.assert_allclose([left.bounding_box, right.bounding_box], BOXES, atol=1e-3)
        assert (left.handedness, right.handedness) == (Handedness.LEFT, Handedness.RIGHT)
        assert (left.detection_id, right.detection_id) == (1, 2)
        assert (left.score, right.score) == pytest.approx((0.8, 0.6))
    detector.reset()
    assert [d.detection_id for d in detector.detect(FRAME)] == [3, 4]


def test_classes_given_by_the_user_come_before_those_of_the_file(tmp_path):
    outputs = outputs_of(Style.COLUMNS, in_input(BOXES), np.array([[0.8, 0], [0, 0.6]]))
    path = write(tmp_path / "hands.onnx", outputs, {0: "left", 1: "right"})
    options = DetectorOptions(
        detector_model=path, detector_classes=("right", "left"), min_score=0.7
    )
    (seen,) = OnnxDetector.load(options).detect(FRAME)
    assert seen.handedness is Handedness.RIGHT


def test_the_side_is_looked_at_where_there_is_one_class(tmp_path, models):
    outputs = outputs_of(Style.COLUMNS, in_input(BOXES), np.array([[0.8], [0.6]]))
    path = write(tmp_path / "hands.onnx", outputs)
    # There is no hand in the noise: the side stays open, the boxes are passed on.
    seen = OnnxDetector.load(DetectorOptions(detector_model=path)).detect(FRAME)
    assert len(seen) == 2
    assert all(0.5 <= detection.handedness_score < 1 for detection in seen)


@pytest.mark.parametrize("labelled", [False, True])
def test_the_input_is_normalised_as_its_style_wants(tmp_path, labelled):
    """The model tells as scores what it sees on the mean of each channel."""
    onnx = pytest.importorskip("onnx", reason="writing a model needs onnx")
    helper = onnx.helper
    boxes = np.tile(np.float32([5, 5, 2, 2]).reshape(1, 4, 1), (1, 1, 9))
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], axes=[2, 3], keepdims=1)]
    float32 = onnx.TensorProto.FLOAT
    inits = [onnx.numpy_helper.from_array(boxes, "boxes")]
    results = [helper.make_tensor_value_info("out", float32, None)]
    if labelled:
        nodes += [
            helper.make_node("Reshape", ["mean", "three"], ["scores"]),
            helper.make_node("Concat", ["corners", "scores"], ["out"], axis=2),
            helper.make_node("Identity", ["classes"], ["labels"]),
        ]
        inits = [
            onnx.numpy_helper.from_array(np.array([1, 3, 1]), "three"),
            onnx.numpy_helper.from_array(np.tile(np.float32([4, 4, 6, 6]), (1, 3, 1)), "corners"),
            onnx.numpy_helper.from_array(np.array([[0, 1, 2]]), "classes"),
        ]
        results.append(helper.make_tensor_value_info("labels", onnx.TensorProto.INT64, None))
    else:
        nodes += [
            helper.make_node("Reshape", ["mean", "three"], ["scores"]),
            helper.make_node("Expand", ["scores", "nine"], ["many"]),
            helper.make_node("Concat", ["boxes", "many"], ["out"], axis=1),
        ]
        inits += [
            onnx.numpy_helper.from_array(np.array([1, 3, 1]), "three"),
            onnx.numpy_helper.from_array(np.array([1, 3, 9]), "nine"),
        ]
    images = helper.make_tensor_value_info("images", float32, [1, 3, "h", "w"])
    graph = helper.make_graph(nodes, "means", [images], results, inits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "means.onnx"))
    model = BoxModel(tmp_path / "means.onnx", ("r", "g", "b"))
    rgb = np.empty((200, 200, 3), np.uint8)
    rgb[:] = 200, 100, 50
    scores = model(rgb).scores.max(axis=0)
    if labelled:
        # A score below 0 never beats the 0 of the other classes.
        expected = np.maximum((np.array([50, 100, 200]) - BGR_MEAN) / BGR_STD, 0)
    else:
        expected = np.array([200, 100, 50]) / 255
    np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_what_is_no_model_of_hands_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="'onnx' needs the path"):
        make_detector("onnx")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx: no such file"):
        make_detector("onnx", DetectorOptions(detector_model=tmp_path / "none.onnx"))

    def refused(match, *arguments, **rest):
        path = write(tmp_path / "model.onnx", *arguments, **rest)
        with pytest.raises((ConfigurationError, FileFormatError), match=rf"model\.onnx: {match}"):
            make_detector("onnx", DetectorOptions(detector_model=path))

    refused(r"the outputs are float32 \(1, 1000\); understood", [np.zeros((1, 1000), np.float32)])
    coco = np.zeros((1, 84, 2100), np.float32)
    refused("the file does not name its classes", [coco])
    refused("none of the classes", [coco], {i: f"thing {i}" for i in range(80)})
    refused(r"the outputs of 90 classes are", [coco], dict.fromkeys(range(90), "hand"))
    refused("the file's metadata 'names'", [coco], "gibberish")
    refused(r"it takes 1 input\(s\), the first tensor\(float\) \[1, 320, 320, 3\]", [coco],
            inputs=[1, 320, 320, 3])  # fmt: skip
    refused(r"it takes 1 input\(s\), the first tensor\(uint8\)", [coco], kind=2)
