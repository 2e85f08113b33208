package protocol

// Held is the size of the reader's buffer.
func (f *FrameReader) Held() int { return len(f.buf) }
