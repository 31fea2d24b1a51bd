// Shows the exact words that a learner agrees to, in the language in which they come.
import React, { Children } from 'react';
import PropTypes from 'prop-types';
import { Hyperlink } from '@openedx/paragon';

import messages from './messages';

// An address ends before the punctuation of its sentence.
const ADDRESS = /(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)،؛؟])/;
// Where it is too long for its line, it is broken at a slash.
const PIECES_OF_ADDRESS = /^https?:\/*[^/]*\/*|[^/]+\/*/g;

// What repeats itself is shown twice, too: `Children.toArray` gives keys that tell the two apart.
const Disclosure = ({ intl, disclosure }) => (
  <div
    lang={disclosure.language}
    dir={disclosure.direction}
    className="border rounded px-3 pt-3 mb-3 small"
    style={{ textAlign: 'start', overflowWrap: 'anywhere' }}
  >
    {Children.toArray(disclosure.text.split(/\n{2,}/).map((paragraph) => (
      <p style={{ whiteSpace: 'pre-line' }}>
        {Children.toArray(paragraph.split(ADDRESS).map((part) => (!ADDRESS.test(part) ? part : (
          <Hyperlink
            destination={part}
            target="_blank"
            isInline
            externalLinkTitle={intl.formatMessage(messages.newTab)}
            externalLinkAlternativeText={intl.formatMessage(messages.newTab)}
          >
            <bdi dir="ltr">
              {Children.toArray(part.match(PIECES_OF_ADDRESS).map((piece) => <>{piece}<wbr /></>))}
            </bdi>
          </Hyperlink>
        ))))}
      </p>
    )))}
  </div>
);

Disclosure.propTypes = {
  intl: PropTypes.shape({ formatMessage: PropTypes.func.isRequired }).isRequired,
  disclosure: PropTypes.shape({
    language: PropTypes.string.isRequired,
    direction: PropTypes.string.isRequired,
    text: PropTypes.string.isRequired,
  }).isRequired,
};

export default Disclosure;
