package main

import (
	"io"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// A chunk's line has its size and a signature; the lines after the last chunk have a checksum and a signature.
	chunkLineBytes = 1 << 10
	trailerBytes   = 4 << 10
)

// framing passes an upload in S3's own chunks on ("aws-chunked"), and ends it where what is no data is too long.
// VersityGW v1.8.0 holds all that comes after the last chunk in memory, and does not expect a size below zero.
type framing struct {
	io.Reader
	left    int64
	line    []byte
	trailer int
	last    bool
}

// frame puts the framing before what VersityGW reads such an upload with.
func frame(ctx fiber.Ctx) {
	if body := ctx.Request().BodyStream(); body != nil && utils.IsStreamingPayload(ctx.Get("X-Amz-Content-Sha256")) {
		utils.ContextKeyBodyReader.Set(ctx, &framing{Reader: body})
	}
}

func (f *framing) Read(into []byte) (int, error) {
	n, err := f.Reader.Read(into)
	if refused := f.follow(into[:n]); refused != nil {
		return 0, refused
	}
	return n, err
}

// follow says whether the framing goes on as it should.
func (f *framing) follow(data []byte) error {
	for len(data) > 0 {
		switch {
		case f.last:
			if f.trailer += len(data); f.trailer > trailerBytes {
				return s3err.GetAPIError(s3err.ErrMalformedTrailer)
			}
			return nil
		case f.left > 0:
			skipped := min(f.left, int64(len(data)))
			f.left -= skipped
			data = data[skipped:]
		default:
			f.line = append(f.line, data[0])
			if data[0] == '\n' {
				if err := f.begin(); err != nil {
					return err
				}
			} else if len(f.line) > chunkLineBytes {
				return s3err.GetAPIError(s3err.ErrIncompleteBody)
			}
			data = data[1:]
		}
	}
	return nil
}

// begin reads the line before a chunk, which is followed by the chunk's data and an end of line.
func (f *framing) begin() error {
	size, _, _ := strings.Cut(string(f.line), ";")
	length, err := strconv.ParseInt(strings.TrimSpace(size), 16, 62)
	if err != nil || length < 0 {
		return s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	f.line, f.left, f.last = f.line[:0], length+2, length == 0
	return nil
}
