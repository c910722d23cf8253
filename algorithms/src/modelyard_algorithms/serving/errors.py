"""What a client is told when its request cannot be answered."""


class RequestError(Exception):
    """A status code and one sentence for the client; never a path, a trace or a value of ours."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
