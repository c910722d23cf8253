package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// guarded keeps a request inside its bucket's folder. VersityGW v1.8.0 checks names in paths, but joins
// what comes in a body or a query to a path as it is: with keys of "delete objects" and ids of uploads
// like "../../other" one tenant could delete, write and read what is another's, the accounts included.
//
// It also takes away what lets a tenant make data that nobody can delete any more, and acknowledges an
// upload only if the object is there.
type guarded struct {
	backend.Backend
	completing sync.Map
}

// VersityGW makes ids of uploads like this one; they are names of folders.
var uploadID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// S3 deletes so many objects with one request.
const deletedKeys = 1000

func checkUpload(id *string) error {
	given := backend.GetStringFromPtr(id)
	if uploadID.MatchString(given) {
		return nil
	}
	return s3err.GetNoSuchUploadErr(given)
}

func (g *guarded) PutObject(
	ctx context.Context, input s3response.PutObjectInput,
) (s3response.PutObjectOutput, error) {
	if err := refused(input.Key); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	put, err := g.Backend.PutObject(ctx, input)
	if err == nil && put.Size == nil {
		// VersityGW says that this is done, and gives no size, when the object's folder came and went with other
		// requests, or is the object's own name by now: nothing is there.
		return put, s3err.GetAPIError(s3err.ErrSlowDown)
	}
	return put, err
}

func (g *guarded) CopyObject(
	ctx context.Context, input s3response.CopyObjectInput,
) (s3response.CopyObjectOutput, error) {
	if err := refused(input.Key); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	copied, err := g.Backend.CopyObject(ctx, input)
	if err != nil {
		return copied, err
	}
	// As PutObject, but it does not show.
	if _, err := g.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key}); err != nil {
		return copied, s3err.GetAPIError(s3err.ErrSlowDown)
	}
	return copied, nil
}

func (g *guarded) CreateMultipartUpload(
	ctx context.Context, input s3response.CreateMultipartUploadInput,
) (s3response.InitiateMultipartUploadResult, error) {
	if err := refused(input.Key); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	return g.Backend.CreateMultipartUpload(ctx, input)
}

func (g *guarded) DeleteObjects(
	ctx context.Context, input *s3.DeleteObjectsInput,
) (s3response.DeleteResult, error) {
	if len(input.Delete.Objects) > deletedKeys {
		return s3response.DeleteResult{}, s3err.GetAPIError(s3err.ErrMalformedXML)
	}
	for _, object := range input.Delete.Objects {
		key := backend.GetStringFromPtr(object.Key)
		if !utils.IsObjectNameValid(key) || strings.ContainsRune(key, 0) {
			return s3response.DeleteResult{}, s3err.GetAPIError(s3err.ErrBadRequest)
		}
	}
	return g.Backend.DeleteObjects(ctx, input)
}

// CompleteMultipartUpload answers that an upload is complete if it completes now, or if the object is already
// what the parts make. VersityGW says so whenever the upload is gone and there is any object of that name.
func (g *guarded) CompleteMultipartUpload(
	ctx context.Context, input *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	none := s3response.CompleteMultipartUploadResult{}
	if err := checkUpload(input.UploadId); err != nil {
		return none, "", err
	}
	upload := *input.Bucket + "/" + *input.UploadId
	if _, running := g.completing.LoadOrStore(upload, true); running {
		return none, "", s3err.GetAPIError(s3err.ErrSlowDown)
	}
	defer g.completing.Delete(upload)
	parts := int32(1)
	_, missing := g.Backend.ListParts(ctx, &s3.ListPartsInput{
		Bucket: input.Bucket, Key: input.Key, UploadId: input.UploadId, MaxParts: &parts,
	})
	if missing != nil && !g.made(ctx, input) {
		return none, "", missing
	}
	result, version, err := g.Backend.CompleteMultipartUpload(ctx, input)
	if errors.Is(err, s3err.GetAPIError(s3err.ErrInvalidPart)) && g.made(ctx, input) {
		// The store was killed while it removed the parts of a complete object.
		return g.complete(ctx, input)
	}
	return result, version, err
}

// complete removes what is left of an upload that made its object.
func (g *guarded) complete(
	ctx context.Context, input *s3.CompleteMultipartUploadInput,
) (s3response.CompleteMultipartUploadResult, string, error) {
	left := s3.AbortMultipartUploadInput{Bucket: input.Bucket, Key: input.Key, UploadId: input.UploadId}
	if err := g.Backend.AbortMultipartUpload(ctx, &left); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return g.Backend.CompleteMultipartUpload(ctx, input)
}

// made says whether the object is what these parts make.
func (g *guarded) made(ctx context.Context, input *s3.CompleteMultipartUploadInput) bool {
	if input.MultipartUpload == nil {
		return false
	}
	etag, err := backend.ComputeMultipartETagFromPartETags(input.MultipartUpload.Parts)
	if err != nil {
		return false
	}
	object, err := g.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
	return err == nil && backend.AreEtagsSame(etag, backend.GetStringFromPtr(object.ETag))
}

func (g *guarded) AbortMultipartUpload(ctx context.Context, input *s3.AbortMultipartUploadInput) error {
	if err := checkUpload(input.UploadId); err != nil {
		return err
	}
	return g.Backend.AbortMultipartUpload(ctx, input)
}

func (g *guarded) ListParts(
	ctx context.Context, input *s3.ListPartsInput,
) (s3response.ListPartsResult, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return s3response.ListPartsResult{}, err
	}
	return g.Backend.ListParts(ctx, input)
}

func (g *guarded) UploadPart(ctx context.Context, input *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return nil, err
	}
	return g.Backend.UploadPart(ctx, input)
}

func (g *guarded) UploadPartCopy(
	ctx context.Context, input *s3.UploadPartCopyInput,
) (s3response.CopyPartResult, error) {
	if err := checkUpload(input.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	return g.Backend.UploadPartCopy(ctx, input)
}

func (g *guarded) PutObjectLockConfiguration(context.Context, string, []byte) error {
	return s3err.GetAPIError(s3err.ErrNotImplemented)
}
