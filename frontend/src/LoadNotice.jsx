// Says that something of ours is slow or could not be loaded, and offers to try again.
import React, { useState } from 'react';
import PropTypes from 'prop-types';
import { Button } from '@openedx/paragon';

import messages from './messages';

const LoadNotice = ({
  intl, status, failed, onRetry,
}) => {
  // Who tried again keeps the button, which has the focus.
  const [hasRetried, setHasRetried] = useState(false);
  const text = { loading: hasRetried && messages.loading, slow: messages.slow, failed }[status];
  return (
    // Always there, so that a screen reader notices when it fills. Quiet: nothing else of the page is affected.
    <div role="status">
      {text && (
        <p className="small mb-3">
          {intl.formatMessage(text)}
          {' '}
          <Button variant="link" size="inline" onClick={() => { setHasRetried(true); onRetry(); }}>
            {intl.formatMessage(messages.tryAgain)}
          </Button>
        </p>
      )}
    </div>
  );
};

LoadNotice.propTypes = {
  intl: PropTypes.shape({ formatMessage: PropTypes.func.isRequired }).isRequired,
  status: PropTypes.oneOf(['loading', 'slow', 'failed', 'loaded']).isRequired,
  failed: PropTypes.shape({ id: PropTypes.string.isRequired }).isRequired,
  onRetry: PropTypes.func.isRequired,
};

export default LoadNotice;
