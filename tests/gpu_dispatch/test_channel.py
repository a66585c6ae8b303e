"""Whatever is sent arrives whole, in order and writable, however the socket cuts it up."""

import socket
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import DEADLINE

from cosmos_workflow.gpu_dispatch.channel import Channel, Frame, Kind, dumps

sizes = st.one_of(st.integers(0, 100), st.integers(30_000, 70_000), st.just(500_000))
objects = st.recursive(
    st.one_of(st.integers(), st.text(max_size=20), sizes.map(bytes), sizes.map(lambda size: np.arange(size) % 251)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


def pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return Channel(ours), Channel(theirs)


@settings(deadline=None, max_examples=40)
@given(st.lists(objects, max_size=8))
def test_frames_arrive_whole_and_in_order(sent: list[Any]):
    ours, theirs = pair()
    for number, item in enumerate(sent):
        ours.put(Kind.RUN, number, dumps(item))
    received: list[Frame] = []
    while len(received) < len(sent):
        ours.flush()
        received += theirs.receive()
    assert [frame.seq for frame in received] == list(range(len(sent)))
    assert all(same(frame.load(), item) for frame, item in zip(received, sent, strict=True))
    assert not ours.pending
    ours.close()
    assert theirs.receive(wait=True) == []
    assert theirs.eof
    theirs.close()


def test_large_arrays_travel_beside_the_pickle_and_arrive_writable():
    array = np.arange(1 << 20, dtype=np.float32)
    payload = dumps({"frames": array})
    assert len(payload.pickle) < 1000
    assert np.shares_memory(np.frombuffer(payload.buffers[0], np.float32), array)
    ours, theirs = pair()
    ours.put(Kind.RUN, 1, payload)
    thread = threading.Thread(target=ours.flush, args=(True,))
    thread.start()
    (frame,) = theirs.receive(wait=True)
    thread.join()
    result = frame.load()["frames"]
    result[0] = 5
    assert np.array_equal(result[1:], array[1:])
    ours.close()
    theirs.close()


def test_what_a_dead_peer_had_sent_can_still_be_read():
    ours, theirs = pair()
    for number in range(100):
        ours.put(Kind.PROGRESS, 7, dumps(number))
    ours.flush()
    ours.close()
    assert [frame.load() for frame in theirs.drain()] == list(range(100))
    assert theirs.eof
    theirs.close()


def test_a_peer_that_is_gone_swallows_what_is_sent():
    ours, theirs = pair()
    theirs.close()
    ours.put(Kind.RUN, 1, dumps("lost"))
    assert ours.flush()
    ours.close()


def test_who_sends_to_somebody_who_does_not_read_stops_when_it_is_shut():
    ours, theirs = pair()
    ours.put(Kind.RUN, 1, dumps(bytes(10_000_000)))
    assert not ours.flush(), "the socket is full"
    sender = threading.Thread(target=ours.flush, args=(True,))
    sender.start()
    ours.shut()
    sender.join(DEADLINE)
    assert not sender.is_alive()
    assert not ours.pending
    ours.shut()
    ours.close()
    theirs.close()


def test_tensors_travel_as_memory_whatever_their_type_and_shape():
    torch = pytest.importorskip("torch")
    tensors = [
        torch.arange(100_000, dtype=torch.float32).reshape(100, 1000).T,
        torch.ones(3, dtype=torch.bfloat16),
        torch.zeros(0, 4),
        torch.tensor(True),
        torch.randn(4, dtype=torch.complex64).conj(),
        torch.ones(2, requires_grad=True),
    ]
    payload = dumps(tensors)
    assert len(payload.buffers) == 1, "the large one goes beside the pickle"
    buffers = [bytearray(buffer) for buffer in payload.buffers]
    for sent, received in zip(tensors, Frame(Kind.RUN, 1, payload.pickle, buffers).load(), strict=True):
        assert received.dtype == sent.dtype
        assert torch.equal(received, sent.detach().resolve_conj())
        received.fill_(0)


def test_a_sparse_tensor_is_left_to_torch():
    torch = pytest.importorskip("torch")
    sent = torch.eye(3).to_sparse()
    payload = dumps(sent)
    assert torch.equal(Frame(Kind.RUN, 1, payload.pickle).load().to_dense(), torch.eye(3))
